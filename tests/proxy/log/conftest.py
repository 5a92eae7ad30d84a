"An empty log, in which tests write turns."

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.turn_logs import TurnLog


@pytest.fixture
def log(tmp_path: Path) -> Iterator[TurnLog]:
    "An empty log. Modules that need another kind of log define a fixture of the same name."
    log = TurnLog(tmp_path / "logs.db")
    yield log
    log.db.close()
