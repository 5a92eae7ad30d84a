"""Opens llm's database, creates it if necessary, and writes to it without losing rows."""

from __future__ import annotations

import os
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlite_utils
from llm.migrations import MIGRATIONS as LLMS
from llm.migrations import migrate as migrate_llms_tables

from . import migrations
from .views.versions import are_current, create_views, drop_views


def unlogged_folder(database: Path) -> Path:
    "The folder beside the database for turns that are not in it yet (`unlogged_files.py`)."
    return database.with_name(f"{database.name}-unlogged")


def open_database(path: Path, *, busy_timeout: int) -> sqlite_utils.Database:
    """Opens llm's database with llm's migrations and ours applied, and with our views.

    A new database is private to its owner, and complete when it appears at `path`: llm's own migrations fail
    if two processes run them at once. An existing one keeps its journal mode. `busy_timeout` is how many
    milliseconds to wait for the lock of another process.

    Raises OSError or sqlite3.Error.
    """
    if not path.exists():
        _create(path, busy_timeout)
    return _open_migrated(path, busy_timeout)


def _create(path: Path, busy_timeout: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        _open_migrated(draft, busy_timeout).close()
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


def _open_migrated(path: Path, busy_timeout: int) -> sqlite_utils.Database:
    database = sqlite_utils.Database(sqlite3.connect(path))
    try:
        set_busy_timeout(database.conn, busy_timeout)
        # Checked without the write lock, which another process may hold.
        if not _is_current(database.conn):
            with write_transaction(database.conn):
                drop_views(database.conn)
                migrate_llms_tables(database)  # type: ignore[no-untyped-call]
                migrations.migrate(database.conn)
                create_views(database.conn)
        return database
    except BaseException:
        database.close()
        raise


def _is_current(connection: sqlite3.Connection) -> bool:
    llms = {step.__name__ for step in LLMS}
    ours = {name for name, _ in migrations.MIGRATIONS}
    return (
        llms <= _applied(connection, "_llm_migrations")
        and ours <= _applied(connection, "gpt_oss_migrations")
        and are_current(connection)
    )


def _applied(connection: sqlite3.Connection, table: str) -> set[str]:
    "The names of the migrations that were applied, which this table holds."
    exists = "select 1 from sqlite_master where type = 'table' and name = ?"
    if connection.execute(exists, [table]).fetchone() is None:
        return set()
    return {name for (name,) in connection.execute(f"select name from {table}")}  # noqa: S608


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


def check_writable(connection: sqlite3.Connection, path: Path) -> None:
    """Raises OSError or sqlite3.Error if the database at `path` cannot be written.

    SQLite lets a write transaction begin on a read-only file, and fails when something is written.
    """
    if not (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)):
        raise sqlite3.OperationalError("the database or its folder is read-only")
    with write_transaction(connection):
        pass


def is_transient(error: Exception) -> bool:
    "Whether the database is the problem and not this turn. Then a later attempt may succeed."
    return isinstance(error, OSError | sqlite3.OperationalError) or type(error) is sqlite3.DatabaseError
