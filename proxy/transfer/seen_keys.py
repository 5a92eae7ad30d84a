"A set of keys in a temporary file. An export remembers with it what it has written, however long the log is."

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager


class SeenKeys:
    "A set of texts, in a table of the database."

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
    "Open a database in a temporary file, which SQLite deletes at the end. Up to 2 MB of it are in memory."
    connection = sqlite3.connect("", isolation_level=None)
    try:
        connection.execute("pragma synchronous = off")
        yield connection
    finally:
        connection.close()
