"""An empty log. Its migrations take a tenth of a second, so tests copy one.

write_empty_log(path)
copy_empty_log(connection)        # an open connection to an empty database
with logs_are_copies(): ...       # those that the tested code creates, too
"""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path

import pytest
import sqlite_utils

from llm_gpt_oss.log import database

open_migrated = database._open_migrated


def write_empty_log(path: Path) -> None:
    path.write_bytes(_empty_log())


def copy_empty_log(target: sqlite3.Connection) -> None:
    _empty_log_in_memory().backup(target)


@contextmanager
def logs_are_copies() -> Iterator[None]:
    """A new log is a copy of an empty one. No log waits for the disk: nobody cuts the power of a test, and
    what was written survives the end of its process all the same.
    """

    def open_copied(path: Path, busy_timeout: int) -> sqlite_utils.Database:
        if not path.stat().st_size:
            write_empty_log(path)
        log = open_migrated(path, busy_timeout)
        log.conn.execute("pragma synchronous = off")
        return log

    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(database, "_open_migrated", open_copied)
        yield


@cache
def _empty_log() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "logs.db"
        path.touch()
        open_migrated(path, busy_timeout=0).close()
        return path.read_bytes()


@cache
def _empty_log_in_memory() -> sqlite3.Connection:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "logs.db"
        write_empty_log(path)
        with closing(sqlite3.connect(path)) as file:
            file.backup(memory := sqlite3.connect(":memory:"))
    return memory
