"What the tests of the plugin have in common."

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import llm
import pytest
import sqlite_utils
from llm.logs import LogStore
from llm.migrations import migrate
from support.scripted_engine import AsyncScriptedEngine, Part, ScriptedEngine

from llm_gpt_oss.engines.ollama.provider import OllamaProvider
from llm_gpt_oss.log import migrations
from llm_gpt_oss.log.database import write_transaction
from llm_gpt_oss.log.views.versions import create_views


@pytest.fixture(scope="session")
def migrated() -> Iterator[sqlite3.Connection]:
    "An empty log. To make one on a disk takes seconds."
    with closing(sqlite3.connect(":memory:")) as connection:
        database = sqlite_utils.Database(connection)
        migrate(database)
        LogStore(database)
        with write_transaction(connection):
            migrations.migrate(connection)
            create_views(connection)
        yield connection


@pytest.fixture
def log(migrated: sqlite3.Connection) -> Callable[..., Path]:
    "Puts an empty log where llm keeps its own, or under another name beside it."

    def put(name: str = "logs.db") -> Path:
        path: Path = llm.user_dir() / name
        with closing(sqlite3.connect(path)) as target:
            migrated.backup(target)
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
