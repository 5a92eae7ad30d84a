"A real server in a process of its own: leaving, stopping, being killed."

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from scripted import HOLD, Scripted, stream

SERVE = """
import signal, sys, uvicorn
from pathlib import Path
from proxy.app import create_app
from proxy.settings import Settings
# uvicorn ends itself by the signal that stopped it, once all is done.
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
app = create_app(Settings(database=Path(sys.argv[1]), model="gpt-oss-tiny", keep_alive=float(sys.argv[2])))
config = uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=float(sys.argv[3]))
uvicorn.Server(config).run(sockets=[__import__("socket").socket(fileno=int(sys.argv[4]))])
"""
PATIENCE = 30


def says(text: str) -> dict[str, Any]:
    return {"model": "gpt-oss-tiny", "response": text, "done": False}


BEGIN = [says(text) for text in ("<|channel|>", "final", "<|message|>", "Hello")]
END = {"model": "gpt-oss-tiny", "done": True, "done_reason": "stop", "prompt_eval_count": 1, "eval_count": 5}


class Ollama(Scripted):
    "What gpt-oss-tiny is asked for first is what it is."

    def __init__(self, *reply: Any) -> None:
        body = b'{"details": {"family": "gptoss"}}'
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        super().__init__((head.encode() + body,), stream(*reply))


class Serving:
    def __init__(self, process: subprocess.Popen[bytes], port: int, path: Path) -> None:
        self.process = process
        self.port = port
        self.path = path

    @contextmanager
    def asking(self, **fields: Any) -> Iterator[socket.socket]:
        body = {"model": "gpt-oss-tiny", "messages": [{"role": "user", "content": "Hi"}], **fields}
        data = json.dumps(body).encode()
        with socket.create_connection(("127.0.0.1", self.port), PATIENCE) as client:
            lines = ["POST /v1/chat/completions HTTP/1.1", "Host: 127.0.0.1", f"Content-Length: {len(data)}"]
            client.sendall("\r\n".join([*lines, "", ""]).encode() + data)
            yield client

    def rows(self) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.path)) as database:
            assert database.execute("pragma integrity_check").fetchone() == ("ok",)
            return database.execute("select status, error from gpt_oss_requests order by turn_id").fetchall()

    def logs(self, *expected: tuple[Any, ...]) -> None:
        deadline = time.monotonic() + PATIENCE
        while self.rows() != [*expected] and time.monotonic() < deadline:
            time.sleep(0.01)
        assert self.rows() == [*expected]

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)


@contextmanager
def serving(path: Path, ollama: Scripted, *, keep_alive: float = 60, grace: float = 60) -> Iterator[Serving]:
    listener = socket.create_server(("127.0.0.1", 0))
    environment = {
        **os.environ,
        "OLLAMA_HOST": ollama.host,
        "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[2]), *sys.path]),
    }
    process = subprocess.Popen(
        [sys.executable, "-c", SERVE, path, str(keep_alive), str(grace), str(listener.fileno())],
        env=environment,
        pass_fds=[listener.fileno()],
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


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "logs.db"


LEFT = (499, "The client left.")


@pytest.mark.parametrize("begin", [[], BEGIN])
@pytest.mark.parametrize("streams", [True, False])
def test_the_engine_stops_when_the_client_leaves(path: Path, begin: list[Any], streams: bool) -> None:
    with Ollama(*begin, HOLD) as ollama, serving(path, ollama) as server:
        with server.asking(stream=streams) as client:
            if begin and streams:
                until(client, b"Hello")
            while len(ollama.requests) < 2:
                time.sleep(0.01)
        assert ollama.gone.wait(PATIENCE)
        server.logs(LEFT)
        assert server.stop() == 0


def test_a_silent_engine_is_kept_alive(path: Path) -> None:
    with Ollama(HOLD) as ollama, serving(path, ollama, keep_alive=0.01) as server:
        with server.asking(stream=True) as client:
            heard = until(client, b": keep-alive\n\n")
        assert heard.startswith(b"HTTP/1.1 200")


def test_a_stream_goes_on_to_its_end_when_the_server_stops(path: Path) -> None:
    with Ollama(*BEGIN, 0.3, END) as ollama, serving(path, ollama) as server:
        with server.asking(stream=True) as client:
            until(client, b"Hello")
            server.process.send_signal(signal.SIGTERM)
            until(client, b"data: [DONE]\n\n")
        assert server.process.wait(PATIENCE) == 0
        assert server.rows() == [(200, None)]


def test_a_stream_that_takes_too_long_is_cut_and_logged(path: Path) -> None:
    with Ollama(*BEGIN, HOLD) as ollama, serving(path, ollama, grace=1) as server:
        with server.asking(stream=True) as client:
            until(client, b"Hello")
            assert server.stop() == 0
        assert server.rows() == [LEFT]


def test_what_was_under_way_when_it_was_killed_shows_after_a_restart(path: Path) -> None:
    with Ollama(*BEGIN, HOLD) as ollama:
        with serving(path, ollama) as server, server.asking(stream=True) as client:
            until(client, b"Hello")
            server.process.kill()
            server.process.wait()
            assert server.rows() == []
        with serving(path, ollama) as server:
            server.logs((500, "The server was gone before the answer was whole."))
