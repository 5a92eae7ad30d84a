from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.commands import LOADED, THERE
from support.webserver import WebServer, lines, serving


@pytest.fixture
def ollama(monkeypatch: pytest.MonkeyPatch) -> Iterator[WebServer]:
    "An Ollama with the model there, and loaded once it was asked to."
    with serving() as web:
        monkeypatch.setenv("OLLAMA_HOST", web.url)
        web.routes = {
            "/api/version": lines({"version": "0.33.0"}),
            "/api/tags": lines({"models": [THERE]}),
            "/api/ps": lines({"models": [LOADED]}),
            "/api/generate": lines({"done": True, "done_reason": "load"}),
            "/api/pull": lines({"status": "pulling manifest"}, {"status": "success"}),
        }
        yield web


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLLAMA_HOST", "127.0.0.1:1")
    monkeypatch.setenv("PATH", "")
