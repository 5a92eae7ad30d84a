"A log in which tests write turns, and queries of its views."

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.empty_log import write_empty_log
from support.view_logs import ViewLog


@pytest.fixture
def log(tmp_path: Path) -> Iterator[ViewLog]:
    path = tmp_path / "logs.db"
    write_empty_log(path)
    log = ViewLog(path)
    yield log
    log.db.close()
