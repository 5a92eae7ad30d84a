"A log in which tests write turns, and queries of its views."

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.view_logs import ViewLog


@pytest.fixture
def log(tmp_path: Path) -> Iterator[ViewLog]:
    log = ViewLog(tmp_path / "logs.db")
    yield log
    log.db.close()
