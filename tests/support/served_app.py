"""The proxy in a process of its own, before an Ollama that plays a script.

with Ollama([*BEGIN, HOLD]) as ollama, serving(path, ollama) as server:
    with server.asking(stream=True) as client:
        until(client, b"Hello")
    server.kill()
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from support.scripted_server import Reply, Request, Scripted, answer, stream

SERVE = """
import signal, sys, uvicorn
from pathlib import Path
from proxy.app import create_app
from proxy.http.protocol import HTTP11Protocol
from proxy.http.server import QuietServer
from proxy.http.server_stop import CLEAN_UP_SECONDS
from proxy.http.websocket_protocol import WebSocketProtocol
from proxy.settings import Settings
# uvicorn ends itself by the signal that stopped it, once all is done.
for each in (signal.SIGTERM, signal.SIGHUP):
    signal.signal(each, lambda *_: sys.exit(0))
app = create_app(Settings(database=Path(sys.argv[1]), model="gpt-oss-tiny", keep_alive=float(sys.argv[2])))
config = uvicorn.Config(
    app,
    http=HTTP11Protocol,
    ws=WebSocketProtocol,
    log_level="warning",
    timeout_graceful_shutdown=float(sys.argv[3]) + CLEAN_UP_SECONDS,
)
QuietServer(config).run(sockets=[__import__("socket").socket(fileno=int(sys.argv[4]))])
"""
PATIENCE = 30
CHAT = "/v1/chat/completions"


def says(text: str) -> dict[str, Any]:
    return {"model": "gpt-oss-tiny", "response": text, "done": False}


BEGIN = [says(text) for text in ("<|channel|>", "final", "<|message|>", "Hello")]
END = {"model": "gpt-oss-tiny", "done": True, "done_reason": "stop", "prompt_eval_count": 1, "eval_count": 5}


def wait_for(happened: Callable[[], Any]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.01)


class Ollama(Scripted):
    "Each completion gets the next of `replies`, the last one all that follow. `asked` is set by the first."

    def __init__(self, *replies: list[Any]) -> None:
        super().__init__(*(stream(*reply) for reply in replies))
        self.completions = 0
        self.asked = threading.Event()

    def reply(self, request: Request) -> Reply:
        if request.path not in ("/api/generate", "/api/chat"):  # gpt-oss-tiny is looked at before it is asked
            return answer({"details": {"family": "gptoss"}})
        self.completions += 1
        self.asked.set()
        return self.replies[min(self.completions, len(self.replies)) - 1]


class Serving:
    def __init__(self, process: subprocess.Popen[bytes], port: int, path: Path) -> None:
        self.process = process
        self.port = port
        self.path = path

    @property
    def output(self) -> str:
        "What the server has printed to standard error."
        return self.path.with_name("stderr.txt").read_text()

    @contextmanager
    def asking(self, path: str = CHAT, **fields: Any) -> Iterator[socket.socket]:
        messages = {"messages": [{"role": "user", "content": "Hi"}]} if path == CHAT else {"input": "Hi"}
        data = json.dumps({"model": "gpt-oss-tiny", **messages, **fields}).encode()
        with socket.create_connection(("127.0.0.1", self.port), PATIENCE) as client:
            lines = [f"POST {path} HTTP/1.1", "Host: 127.0.0.1", f"Content-Length: {len(data)}"]
            client.sendall("\r\n".join([*lines, "", ""]).encode() + data)
            yield client

    def rows(self) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.path)) as database:
            assert database.execute("pragma integrity_check").fetchone() == ("ok",)
            return database.execute("select status, error from gpt_oss_requests order by turn_id").fetchall()

    def logs(self, *expected: tuple[Any, ...]) -> None:
        wait_for(lambda: self.rows() == [*expected])

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def stop(self, signal_: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(signal_)
        return self.process.wait(PATIENCE)


@contextmanager
def serving(path: Path, ollama: Scripted, *, keep_alive: float = 60, grace: float = 60) -> Iterator[Serving]:
    listener = socket.create_server(("127.0.0.1", 0))
    environment = {
        **os.environ,
        "OLLAMA_HOST": ollama.host,
        "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[2]), *sys.path]),
    }
    output = path.with_name("stderr.txt")
    with output.open("ab") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-c", SERVE, path, str(keep_alive), str(grace), str(listener.fileno())],
            env=environment,
            pass_fds=[listener.fileno()],
            stderr=stderr,
        )
    port: int = listener.getsockname()[1]
    listener.close()
    try:
        yield Serving(process, port, path)
    finally:
        process.kill()
        process.wait()


def until(client: socket.socket, wanted: bytes) -> bytes:
    "What the client hears, up to what is wanted."
    heard = b""
    while wanted not in heard:
        data = client.recv(65536)
        assert data, heard
        heard += data
    return heard
