"""Opens llm's database, creates it if necessary, and writes to it without losing rows."""

from __future__ import annotations

import os
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlite_utils
from llm.logs import LogStore
from llm.migrations import MIGRATIONS

from . import tables
from .llm_store import CachedSchemaDatabase, ChainStore

# How many milliseconds to wait for the lock of another process. Its turns take a few; a process that holds
# the lock longer must not delay answers.
BUSY_TIMEOUT = 2000
SHORT_BUSY_TIMEOUT = 20


def open_log(path: Path) -> ChainStore:
    """Opens llm's store, with our tables in it and all migrations applied.

    A new database is private to its owner, and complete when it appears at `path`: llm's own migrations fail
    if two processes run them at once. An existing one keeps its journal mode.

    Raises OSError or sqlite3.Error.
    """
    if not path.exists():
        _create(path)
    return _open_migrated(path)


class LogFile:
    """The log at `path`, for one thread.

    If the file was replaced it is opened again, because rows in a deleted database are lost.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._log: ChainStore | None = None
        self._inode: int | None = None

    def opened(self) -> ChainStore:
        "Return the open log. Raises OSError or sqlite3.Error."
        if self._log and self._current_inode() != self._inode:
            self.close()
        if self._log is None:
            self._log = open_log(self._path)
            self._inode = self._current_inode()
        return self._log

    def set_busy_timeout(self, milliseconds: int) -> None:
        "How long to wait for the lock of another process from now on."
        if self._log:
            set_busy_timeout(self._log.db.conn, milliseconds)

    def close(self) -> None:
        if self._log:
            self._log.db.close()
            self._log = None

    def _current_inode(self) -> int | None:
        try:
            return self._path.stat().st_ino
        except OSError:
            return None


def _create(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        _open_migrated(draft).db.close()
        _link(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def _link(draft: Path, path: Path) -> None:
    try:
        os.link(draft, path)
    except FileExistsError:
        pass  # another process was faster
    except OSError:  # a file system without links: an empty file, which is migrated in place
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))


def _open_migrated(path: Path) -> ChainStore:
    database = sqlite_utils.Database(sqlite3.connect(path))
    try:
        set_busy_timeout(database.conn, BUSY_TIMEOUT)
        # Checked without the write lock, which another process may hold.
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

    llm's own transactions begin with a read. If another process writes between that and their first write,
    they fail at once, whatever the busy timeout.
    """
    connection.execute("begin immediate")
    try:
        yield
        connection.execute("commit")
    except BaseException:
        if connection.in_transaction:  # SQLite may have ended it already, as when the disk is full
            connection.execute("rollback")
        raise


def is_transient(error: Exception) -> bool:
    "Whether the database is the problem and not this turn. Then a later attempt may succeed."
    return isinstance(error, OSError | sqlite3.OperationalError) or type(error) is sqlite3.DatabaseError
