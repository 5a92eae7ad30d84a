from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from support.fake_ollama import PID_FILE, free_port, kill
from support.webserver import WebServer, serving

from llm_gpt_oss.engines.http.client import Client
from llm_gpt_oss.engines.ollama.endpoint import ollama_endpoint
from llm_gpt_oss.settings import ServerAddress
from llm_gpt_oss.setup import progress as progress_module
from llm_gpt_oss.setup.progress import Progress


@pytest.fixture
def web() -> Iterator[WebServer]:
    with serving() as web:
        yield web


@pytest.fixture
def reports() -> list[Progress]:
    "An empty list for the progress reports of the test."
    return []


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    "The durations of all pauses, in seconds. No pause is made."
    durations: list[float] = []
    # Only this module sees it: other threads of the process may sleep meanwhile.
    monkeypatch.setattr(progress_module, "time", SimpleNamespace(**{**vars(time), "sleep": durations.append}))
    return durations


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    "A client for a free port, to which OLLAMA_HOST is set too."
    port = free_port()
    monkeypatch.setenv("OLLAMA_HOST", f"127.0.0.1:{port}")
    with Client(ollama_endpoint(ServerAddress(f"http://127.0.0.1:{port}"))) as client:
        yield client


@pytest.fixture
def pid_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    "The file for the process id of a started program, which is killed at the end of the test."
    path = tmp_path / "pid"
    monkeypatch.setenv(PID_FILE, str(path))
    yield path
    kill(path)
