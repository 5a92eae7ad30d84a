"What the tests of the plugin have in common."

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import llm
import pytest
from support.empty_log import logs_are_copies, write_empty_log
from support.scripted_engine import AsyncScriptedEngine, Part, ScriptedEngine

from llm_gpt_oss.engines.ollama.provider import OllamaProvider


@pytest.fixture(scope="module", autouse=True)
def copied_migrations() -> Iterator[None]:
    with logs_are_copies():
        yield


@pytest.fixture
def log() -> Callable[..., Path]:
    "Puts an empty log where llm keeps its own, or under another name beside it."

    def put(name: str = "logs.db") -> Path:
        path: Path = llm.user_dir() / name
        write_empty_log(path)
        return path

    return put


class Ollama:
    """The engines that the models open when they have none: all play one script.

    `keys` are those that they were opened with; `opened` and `closed` count.
    """

    def __init__(self, *script: Part) -> None:
        self.engine = ScriptedEngine(*script)
        self.aengine = AsyncScriptedEngine(*script)
        self.keys: list[str | None] = []
        self.settings: list[Any] = []
        self.opened = self.closed = 0

    def open(self, settings: Any, key: str | None) -> Ollama:
        self.settings.append(settings)
        self.keys.append(key)
        return self

    def __enter__(self) -> ScriptedEngine:
        self.opened += 1
        return self.engine

    def __exit__(self, *_: object) -> None:
        self.closed += 1

    async def __aenter__(self) -> AsyncScriptedEngine:
        self.opened += 1
        return self.aengine

    async def __aexit__(self, *_: object) -> None:
        self.closed += 1


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Ollama]:
    "`scripted(part, …)`: what the models meet where Ollama would be."

    def put(*script: Part) -> Ollama:
        server = Ollama(*script)
        for method in ("open", "aopen"):
            monkeypatch.setattr(
                OllamaProvider, method, lambda _, model, key: server.open(model.settings, key)
            )
        return server

    return put
