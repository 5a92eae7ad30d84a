"""The proxy in a process of its own, before an Ollama that plays a script.

with Ollama([*BEGIN, HOLD]) as ollama, serving(path, ollama) as server:
    with server.asking(stream=True) as client:
        until(client, b"Hello")
    server.kill()

The process is a fork of one that has imported the server already, since that takes most of a start's time.
`fork_server.py` does the same for `python -m proxy` with its options and workers.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import socket
import sqlite3
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

from support.empty_log import write_empty_log
from support.scripted_server import Reply, Request, Scripted, answer, stream

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
    def __init__(self, process: ForkServerProcess, port: int, path: Path) -> None:
        self._process = process
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
        self._process.kill()
        self._process.join()

    def send_signal(self, signal_: signal.Signals) -> None:
        assert self._process.pid
        os.kill(self._process.pid, signal_)

    def wait(self) -> int | None:
        "Return the exit code of the server, or None if it does not end."
        self._process.join(PATIENCE)
        return self._process.exitcode

    def stop(self, signal_: signal.Signals = signal.SIGTERM) -> int | None:
        self.send_signal(signal_)
        return self.wait()


@contextmanager
def serving(path: Path, ollama: Scripted, *, keep_alive: float = 60, grace: float = 60) -> Iterator[Serving]:
    "A server that logs to `path`. A log that does not exist yet begins as a copy of an empty one."
    if not path.exists():
        write_empty_log(path)
    listener = socket.create_server(("127.0.0.1", 0))
    environment = {**os.environ, "OLLAMA_HOST": ollama.host}
    arguments = (path, listener, keep_alive, grace, environment)
    process = FORKS.Process(target=_serve, args=arguments, daemon=True)
    process.start()
    port: int = listener.getsockname()[1]
    listener.close()
    try:
        yield Serving(process, port, path)
    finally:
        process.kill()
        process.join()
        process.close()


FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["uvicorn", "proxy.app", "proxy.http.server", "proxy.http.websocket_protocol"])


def _serve(
    path: Path, listener: socket.socket, keep_alive: float, grace: float, environment: dict[str, str]
) -> None:
    "Run a server. This is all that its process does."
    import uvicorn

    from proxy.app import create_app
    from proxy.http.protocol import HTTP11Protocol
    from proxy.http.server import QuietServer
    from proxy.http.server_stop import CLEAN_UP_SECONDS
    from proxy.http.websocket_protocol import WebSocketProtocol
    from proxy.settings import Settings

    os.environ.clear()
    os.environ.update(environment)
    with path.with_name("stderr.txt").open("ab") as stderr:
        os.dup2(stderr.fileno(), sys.stderr.fileno())
    # uvicorn ends itself by the signal that stopped it, once all is done.
    for each in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, lambda *_: sys.exit(0))
    config = uvicorn.Config(
        create_app(Settings(database=path, model="gpt-oss-tiny", keep_alive=keep_alive)),
        http=HTTP11Protocol,
        ws=WebSocketProtocol,
        log_level="warning",
        timeout_graceful_shutdown=int(grace + CLEAN_UP_SECONDS),
    )
    QuietServer(config).run(sockets=[listener])


def until(client: socket.socket, wanted: bytes) -> bytes:
    "What the client hears, up to what is wanted."
    heard = b""
    while wanted not in heard:
        data = client.recv(65536)
        assert data, heard
        heard += data
    return heard
