"Datasette with our plugin, on a log in which tests write turns."

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from datasette.app import Datasette
from datasette.plugins import pm
from support.turn_logs import TurnLog

from proxy.explore import transcript

Get = Callable[[str], Awaitable[Any]]


@pytest.fixture
def log(tmp_path: Path) -> Iterator[TurnLog]:
    log = TurnLog(tmp_path / "logs.db")
    yield log
    log.db.close()


@pytest.fixture
def plugin() -> Iterator[None]:
    "The plugin, where nothing else has registered it."
    is_registered = pm.is_registered(transcript)
    if not is_registered:
        pm.register(transcript)
    yield
    if not is_registered:
        pm.unregister(transcript)


@pytest.fixture
async def get(log: TurnLog, tmp_path: Path, plugin: None) -> AsyncIterator[Get]:
    "Returns the page at a path."
    datasette = Datasette([str(tmp_path / "logs.db")], settings={"base_url": "/logs/", "num_sql_threads": 1})
    await datasette.invoke_startup()
    yield datasette.client.get
    datasette.executor.shutdown()
    for database in datasette.databases.values():
        database.close()
