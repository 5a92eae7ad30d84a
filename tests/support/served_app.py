"""The proxy in a process of its own, before an Ollama that plays a script.

with Ollama([*BEGIN, HOLD]) as ollama, serving(path, ollama) as server:
    with server.asking(stream=True) as client:
        until(client, b"Hello")
    server.kill()

`served_app_process.py` is what the process does. It has no command line, so its start is the shortest.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from subprocess import TimeoutExpired
from typing import Any

from support.empty_log import write_empty_log
from support.fork_server import SERVER, Process
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
    def __init__(self, process: Process, port: int, path: Path) -> None:
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
        self._process.wait()

    def send_signal(self, signal_: signal.Signals) -> None:
        self._process.send_signal(signal_)

    def wait(self) -> int | None:
        "Return the exit code of the server, or None if it does not end."
        try:
            return self._process.wait(PATIENCE)
        except TimeoutExpired:
            return None

    def stop(self, signal_: signal.Signals = signal.SIGTERM) -> int | None:
        self.send_signal(signal_)
        return self.wait()


@contextmanager
def serving(path: Path, ollama: Scripted, *, keep_alive: float = 60, grace: float = 60) -> Iterator[Serving]:
    "A server that logs to `path`. A log that does not exist yet begins as a copy of an empty one."
    if not path.exists():
        write_empty_log(path)
    environ = {**os.environ, "OLLAMA_HOST": ollama.host, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = ("-m", "support.served_app_process", str(path), str(keep_alive), str(grace))
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        path.with_name("stderr.txt").open("ab") as stderr,
    ):
        port: int = listener.getsockname()[1]
        process = SERVER.start(*command, env=environ, stdin=listener.fileno(), stderr=stderr)
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
