"A scripted Ollama, and the proxy in front of it. The tests of a module share both."

from __future__ import annotations

from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient
from support.empty_log import logs_are_copies
from support.slips.scripted_ollama import ScriptedOllama

from proxy.app import create_app
from proxy.settings import Settings


@pytest.fixture(scope="module")
def shared_ollama() -> Iterator[ScriptedOllama]:
    with ScriptedOllama() as ollama:
        yield ollama


@pytest.fixture
def ollama(shared_ollama: ScriptedOllama, monkeypatch: pytest.MonkeyPatch) -> ScriptedOllama:
    "The Ollama that the plugin's models run on."
    monkeypatch.setenv("OLLAMA_HOST", shared_ollama.url)
    return shared_ollama


@pytest.fixture(scope="module")
def client(shared_ollama: ScriptedOllama, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    "A client of the proxy, which logs all turns of a module to one database."
    folder = tmp_path_factory.mktemp("slips")
    with pytest.MonkeyPatch.context() as environment, logs_are_copies():
        environment.setenv("OLLAMA_HOST", shared_ollama.url)
        environment.setenv("LLM_USER_PATH", str(folder))
        app = create_app(Settings(database=folder / "logs.db", host="testserver"))
        with TestClient(app) as client:
            yield client
