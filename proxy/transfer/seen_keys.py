"What an export has to remember of the turns so far: in a temporary file, because it grows with the log."

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager


class SeenKeys:
    "A set of texts."

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        connection.execute("create table seen (key text primary key) without rowid")

    def add(self, keys: Iterable[str]) -> None:
        self._connection.execute("begin")
        sql = "insert or ignore into seen values (?)"
        self._connection.executemany(sql, [(key,) for key in keys])
        self._connection.execute("commit")

    def __contains__(self, key: str) -> bool:
        return self._connection.execute("select 1 from seen where key = ?", [key]).fetchone() is not None


@contextmanager
def temporary_database() -> Iterator[sqlite3.Connection]:
    "A database in a file that SQLite deletes. It may keep 2 MB of it in memory."
    connection = sqlite3.connect("", isolation_level=None)
    try:
        connection.execute("pragma synchronous = off")
        yield connection
    finally:
        connection.close()
