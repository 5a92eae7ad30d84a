"The Datasette of a log in which tests write turns."

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from support.turn_logs import TurnLog

# Without the extra there is nothing to test.
collect_ignore_glob = [] if find_spec("datasette") else ["test_*.py"]

Get = Callable[[str], Awaitable[Any]]


@pytest.fixture
def log(tmp_path: Path) -> Iterator[TurnLog]:
    log = TurnLog(tmp_path / "logs.db")
    yield log
    log.db.close()


@pytest.fixture
async def get(log: TurnLog, tmp_path: Path) -> AsyncIterator[Get]:
    "Returns the page at a path."
    from proxy.explore.log_datasette import LogDatasette

    datasette = LogDatasette(tmp_path / "logs.db", lambda: ["1 turn waits <here>."])
    await datasette.invoke_startup()
    yield datasette.client.get
    datasette.close()
