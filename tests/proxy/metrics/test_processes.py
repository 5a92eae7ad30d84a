"Several workers as `llm gpt-oss serve --workers` starts them."

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from support.scraped import Scraped
from support.served_app import BEGIN, END, PATIENCE, Ollama, wait_for

CHAT = {"model": "gpt-oss-tiny", "messages": [{"role": "user", "content": "Hi"}]}
WORKERS = ("-m", "proxy", "--port", "0", "--workers", "2", "--model", "gpt-oss-tiny", "--database")


class Server:
    def __init__(self, url: str) -> None:
        self._url = url

    def scrape(self) -> Scraped:
        return Scraped(self._request("GET", "/metrics").text)

    def chat(self) -> None:
        assert self._request("POST", "/v1/chat/completions", json=CHAT).status_code == 200

    def _request(self, method: str, path: str, **options: object) -> httpx.Response:
        "Each request has a connection of its own, so any worker may get it. One that is killed resets it."
        transport = httpx.HTTPTransport(retries=3)
        with httpx.Client(transport=transport, timeout=PATIENCE) as client:
            for _ in range(20):
                try:
                    return client.request(method, self._url + path, **options)  # type: ignore[arg-type]
                except httpx.TransportError:
                    continue
        raise AssertionError("the server does not answer")

    def workers(self) -> set[int]:
        "The processes that have answered or published."
        return {int(pid) for pid in self.scrape().values("pid")}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with Ollama([*BEGIN, END]) as ollama:
        environ = {**os.environ, "OLLAMA_HOST": ollama.host, "TMPDIR": str(tmp_path)}
        process = subprocess.Popen(
            [sys.executable, *WORKERS, str(tmp_path / "logs.db")],
            env=environ,
            stderr=subprocess.PIPE,
            text=True,
        )
        timer = threading.Timer(PATIENCE * 5, process.kill)
        timer.start()
        assert process.stderr
        with closing(process.stderr):
            try:
                printed = ""
                while not (url := re.search(r"OPENAI_BASE_URL=(\S+)/v1", printed)):
                    printed += process.stderr.readline()
                yield Server(url[1])
            finally:
                process.send_signal(signal.SIGTERM)
                process.wait()
                timer.cancel()
    assert [*tmp_path.glob("llm-gpt-oss-*")] == []


def test_a_worker_that_is_killed(server: Server) -> None:
    "Its turns stay in the sum, and those of the worker that replaces it are added."
    wait_for(lambda: len(server.workers()) == 2)
    for _ in range(10):
        server.chat()
    wait_for(lambda: server.scrape()("gpt_oss_turns_total", status="200") == 10)
    killed = min(server.workers())
    os.kill(killed, signal.SIGKILL)
    wait_for(lambda: len(server.workers() - {killed}) == 2)
    assert server.scrape()("gpt_oss_turns_total") == 10
    for _ in range(10):
        server.chat()
    wait_for(lambda: server.scrape()("gpt_oss_turns_total") == 20)
    assert server.scrape()("gpt_oss_queue_running") == 0
