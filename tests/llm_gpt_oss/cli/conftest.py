from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.commands import INSTALLED, LOADED, SHOWN
from support.webserver import WebServer, lines, serving


@pytest.fixture
def ollama(monkeypatch: pytest.MonkeyPatch) -> Iterator[WebServer]:
    "A server with Ollama's API that has the model, loaded into memory."
    with serving() as web:
        monkeypatch.setenv("OLLAMA_HOST", web.url)
        web.routes = {
            "/api/version": lines({"version": "0.33.0"}),
            "/api/tags": lines({"models": [INSTALLED]}),
            "/api/show": lines(SHOWN),
            "/api/ps": lines({"models": [LOADED]}),
            "/api/generate": lines({"done": True, "done_reason": "load"}),
            "/api/pull": lines({"status": "pulling manifest"}, {"status": "success"}),
        }
        yield web


@pytest.fixture
def no_ollama(monkeypatch: pytest.MonkeyPatch) -> None:
    "No server answers, and no program `ollama` is on the PATH."
    monkeypatch.setenv("OLLAMA_HOST", "127.0.0.1:1")
    monkeypatch.setenv("PATH", "")
