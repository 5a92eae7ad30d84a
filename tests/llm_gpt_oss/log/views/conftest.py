"A log in which tests write turns, and queries of its views."

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from support.empty_log import copy_empty_log
from support.view_logs import ViewLog


@pytest.fixture
def log(tmp_path: Path) -> Iterator[ViewLog]:
    path = tmp_path / "logs.db"
    with closing(sqlite3.connect(path)) as empty:
        copy_empty_log(empty)
    log = ViewLog(path)
    yield log
    log.db.close()
