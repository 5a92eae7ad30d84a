"Several workers as `llm gpt-oss serve --workers` starts them."

from __future__ import annotations

import json
import os
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from subprocess import PIPE

import pytest
from support.fork_server import SERVER
from support.scraped import Scraped
from support.served_app import BEGIN, END, PATIENCE, Ollama

CHAT = {"model": "gpt-oss-tiny", "messages": [{"role": "user", "content": "Hi"}]}
WORKERS = ("-m", "proxy", "--port", "0", "--workers", "2", "--model", "gpt-oss-tiny", "--database")


class Server:
    def __init__(self, address: str) -> None:
        self._address = address

    def scrape(self) -> Scraped:
        return Scraped(self._request("GET", "/metrics"))

    def chat(self) -> None:
        self._request("POST", "/v1/chat/completions", json.dumps(CHAT))

    def workers(self) -> set[int]:
        "The processes whose metrics are in a scrape."
        return {int(pid) for pid in self.scrape().values("pid")}

    def wait_for(self, happened: Callable[[], bool]) -> None:
        "A busy machine takes long to start a worker, and longer if it is asked all the time."
        deadline = time.monotonic() + PATIENCE * 3
        while not happened():
            assert time.monotonic() < deadline, f"these workers run: {self.workers()}"
            time.sleep(0.2)

    def _request(self, method: str, path: str, body: str | None = None) -> str:
        "Each request has a connection of its own, so any worker may get it. One that is killed resets it."
        for _ in range(20):
            try:
                with closing(HTTPConnection(self._address, timeout=PATIENCE)) as connection:
                    connection.request(method, path, body, {"Content-Type": "application/json"})
                    response = connection.getresponse()
                    assert response.status == 200
                    return response.read().decode()
            except (OSError, HTTPException):
                continue
        raise AssertionError("the server does not answer")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with Ollama([*BEGIN, END]) as ollama:
        environ = {**os.environ, "OLLAMA_HOST": ollama.host, "TMPDIR": str(tmp_path)}
        process = SERVER.start(*WORKERS, str(tmp_path / "logs.db"), env=environ, stderr=PIPE, text=True)
        timer = threading.Timer(PATIENCE * 5, process.kill)
        timer.start()
        assert process.stderr
        with closing(process.stderr):
            try:
                printed = ""
                while not (url := re.search(r"OPENAI_BASE_URL=http://(\S+)/v1", printed)):
                    printed += process.stderr.readline()
                yield Server(url[1])
            finally:
                process.send_signal(signal.SIGTERM)
                process.wait()
                timer.cancel()
    assert [*tmp_path.glob("llm-gpt-oss-*")] == []


def test_a_worker_that_is_killed(server: Server) -> None:
    "Its turns stay in the sum, and those of the worker that replaces it are added."
    server.wait_for(lambda: len(server.workers()) >= 2)
    for _ in range(10):
        server.chat()
    server.wait_for(lambda: server.scrape()("gpt_oss_turns_total", status="200") == 10)
    killed = min(server.workers())
    os.kill(killed, signal.SIGKILL)
    server.wait_for(lambda: len(server.workers() - {killed}) >= 2)
    assert server.scrape()("gpt_oss_turns_total") == 10
    for _ in range(10):
        server.chat()
    server.wait_for(lambda: server.scrape()("gpt_oss_turns_total") == 20)
    assert server.scrape()("gpt_oss_queue_running") == 0
