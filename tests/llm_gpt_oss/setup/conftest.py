from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.fake_ollama import PID_FILE, end, free_port
from support.webserver import WebServer, serving

from llm_gpt_oss.engines.http.client import Client
from llm_gpt_oss.engines.ollama.endpoint import ollama_endpoint
from llm_gpt_oss.settings import ServerAddress
from llm_gpt_oss.setup import progress as progressing
from llm_gpt_oss.setup.progress import Progress


@pytest.fixture
def web() -> Iterator[WebServer]:
    with serving() as web:
        yield web


@pytest.fixture
def seen() -> list[Progress]:
    return []


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    taken: list[float] = []
    monkeypatch.setattr(progressing.time, "sleep", taken.append)
    return taken


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    "To a port where nobody answers yet, which OLLAMA_HOST names too."
    port = free_port()
    monkeypatch.setenv("OLLAMA_HOST", f"127.0.0.1:{port}")
    with Client(ollama_endpoint(ServerAddress(f"http://127.0.0.1:{port}"))) as client:
        yield client


@pytest.fixture
def pid_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    "Where a program that is started writes its number: it is ended with the test."
    path = tmp_path / "pid"
    monkeypatch.setenv(PID_FILE, str(path))
    yield path
    end(path)
