"""llm's database as we open it: fresh ones whole and private, the write lock taken first."""

from __future__ import annotations

import os
import secrets
import sqlite3
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import llm
import sqlite_utils
from llm.logs import LogStore, message_hash
from llm.migrations import MIGRATIONS
from llm.parts import Message
from sqlite_utils.db import Column, Table, quote_identifier

from . import tables

# How long to wait for another process's lock, in milliseconds. Its turns take some; whoever holds it longer
# must not hold up answers too.
BUSY_TIMEOUT = 2000
SHORT_BUSY_TIMEOUT = 20
# From this number of messages on, finding the first new one is faster than a query for each message.
MANY_MESSAGES = 4
SQLITE_TYPES = (str, int, float, bytes, type(None))


class CachedSchemaTable(Table):
    "A table whose columns do not change."

    @cached_property
    def columns(self) -> list[Column]:
        return super().columns

    @cached_property
    def pks(self) -> list[str]:
        return super().pks

    def insert(  # type: ignore[override]
        self, record: dict[str, Any], *, replace: bool = False, **options: Any
    ) -> Table:
        """As sqlite-utils', which takes longer to build the statement than SQLite takes to run it.

        Rows outside a transaction, and values that are not SQLite's own, are left to sqlite-utils.
        """
        plain = all(type(value) in SQLITE_TYPES for value in record.values())
        if options or not plain or not self.db.conn.in_transaction:
            return super().insert(record, replace=replace, **options)
        cursor = self.db.conn.execute(_insert_sql(self.name, tuple(record), replace), [*record.values()])
        self.last_rowid = self.last_pk = cursor.lastrowid
        return self


@lru_cache
def _insert_sql(table: str, columns: Sequence[str], replace: bool) -> str:
    names = ", ".join(map(quote_identifier, columns))
    values = ", ".join("?" * len(columns))
    return (
        f"insert {'or replace ' if replace else ''}into {quote_identifier(table)} ({names}) values ({values})"
    )


class CachedSchemaDatabase(sqlite_utils.Database):
    """A database whose schema does not change.

    For each row that it writes, sqlite-utils looks up the names of all tables several times and opens a
    savepoint, which takes a third of the time to log a turn. Here the schema is looked up once, and a
    transaction within a transaction is part of that: an error in it must roll back the outer one
    (`write_transaction`).
    """

    @cached_property
    def _tables(self) -> list[str]:
        return super().table_names()

    @cached_property
    def _views(self) -> list[str]:
        return super().view_names()

    @cached_property
    def _tables_by_name(self) -> dict[str, CachedSchemaTable]:
        return {name: CachedSchemaTable(self, name) for name in self._tables}

    def table(self, table_name: str, **options: Any) -> Table:
        cached = None if options else self._tables_by_name.get(table_name)
        return cached or super().table(table_name, **options)

    def table_names(self, fts4: bool = False, fts5: bool = False) -> list[str]:
        return super().table_names(fts4, fts5) if fts4 or fts5 else self._tables

    def view_names(self) -> list[str]:
        return self._views

    @contextmanager
    def atomic(self) -> Iterator[sqlite_utils.Database]:
        with nullcontext() if self.conn.in_transaction else super().atomic():
            yield self


class StoredPrefix(NamedTuple):
    "The first `length` messages of a prompt, where they are a chain in the log that ends at `tip`."

    length: int
    tip: str


class ChainStore(LogStore):
    "llm's store, for clients that send the whole conversation with each turn."

    _stored: StoredPrefix | None = None

    def log(
        self, response: llm.Response, thread_id: str | None = None, stored: StoredPrefix | None = None
    ) -> str:
        "As llm's. Messages of the prompt that are known to be `stored` are not hashed again."
        self._stored = stored
        try:
            turn_id: str = super().log(response, thread_id)
        finally:
            self._stored = None
        return turn_id

    def ensure_chain(
        self, messages: Sequence[Message], parent: str | None = None, fragments: Sequence[str] | None = None
    ) -> str | None:
        """As llm's, which queries the database for each message.

        A hash covers all messages before its own: if a message is in the log, so are those before it.
        """
        if parent is None and self._stored and self._has(self._stored.tip):
            messages, parent = messages[self._stored.length :], self._stored.tip
        if len(messages) >= MANY_MESSAGES:
            hashes = [parent]
            for message in messages:
                hashes.append(message_hash(message, hashes[-1]))
            new = bisect_left(range(1, len(hashes)), True, key=lambda n: not self._has(hashes[n]))
            messages, parent = messages[new:], hashes[new]
        tip: str | None = super().ensure_chain(messages, parent, fragments)
        return tip

    def _has(self, hash: str | None) -> bool:
        sql = "select 1 from messages where hash = ?"
        return self.db.conn.execute(sql, [hash]).fetchone() is not None


def open_log(path: Path) -> ChainStore:
    """llm's store and our tables in it, migrated. Its journal mode stays as it is.

    A database that is not there yet is made beside its place and put there when it is whole: llm's own
    migrations stumble over each other where two processes run them at once. Raises OSError or sqlite3.Error.
    """
    if not path.exists():
        _made(path)
    return _migrated(path)


class LogFile:
    """The log at `path` for one thread, opened anew where the file is another one by now: what is written
    to a deleted database is lost.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._log: ChainStore | None = None
        self._inode: int | None = None

    @property
    def exists(self) -> bool:
        return self._path.exists()

    def opened(self) -> ChainStore:
        "Raises OSError or sqlite3.Error."
        if self._log and (not self.exists or self._path.stat().st_ino != self._inode):
            self.close()
        if self._log is None:
            self._log = open_log(self._path)
            self._inode = self._path.stat().st_ino
        return self._log

    def wait(self, milliseconds: int) -> None:
        "How long for another process's lock, from now on."
        if self._log:
            set_busy_timeout(self._log.db.conn, milliseconds)

    def close(self) -> None:
        if self._log:
            self._log.db.close()
            self._log = None


def _made(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        _migrated(draft).db.close()
        _linked(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def _linked(draft: Path, path: Path) -> None:
    try:
        os.link(draft, path)
    except FileExistsError:
        pass  # another process was faster
    except OSError:  # a file system without links: migrated in its place, then
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))


def _migrated(path: Path) -> ChainStore:
    database = sqlite_utils.Database(sqlite3.connect(path))
    try:
        set_busy_timeout(database.conn, BUSY_TIMEOUT)
        # Seen without the lock: another process may hold it.
        if not _is_current(database):
            with write_transaction(database.conn):
                LogStore(database)  # type: ignore[no-untyped-call]
                tables.migrate(database.conn)
        return ChainStore(CachedSchemaDatabase(database.conn))  # type: ignore[no-untyped-call]
    except BaseException:
        database.close()
        raise


def _is_current(database: sqlite_utils.Database) -> bool:
    llms, ours = {step.__name__ for step in MIGRATIONS}, {name for name, _ in tables.MIGRATIONS}
    return llms <= _names(database, "_llm_migrations") and ours <= _names(database, "gpt_oss_migrations")


def _names(database: sqlite_utils.Database, table: str) -> set[str]:
    return {row["name"] for row in database[table].rows} if database[table].exists() else set()


def set_busy_timeout(connection: sqlite3.Connection, milliseconds: int) -> None:
    connection.execute(f"pragma busy_timeout = {milliseconds}")


@contextmanager
def write_transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """A transaction that holds the write lock from its beginning.

    llm's own begins by reading: when another process writes before it does, it fails at once, however long it
    would wait for a lock.
    """
    connection.execute("begin immediate")
    try:
        yield
        connection.execute("commit")
    except BaseException:
        if connection.in_transaction:  # SQLite itself may have ended it, as with a full disk
            connection.execute("rollback")
        raise


def is_transient(error: Exception) -> bool:
    "Whether the next turn may fare better: it is about the database, not about this turn."
    return isinstance(error, OSError | sqlite3.OperationalError) or type(error) is sqlite3.DatabaseError
