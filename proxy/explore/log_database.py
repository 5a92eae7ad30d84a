"""The log as a read-only database of Datasette. Statements are short, and a replaced file is reopened."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, NoReturn, TypeVar
from urllib.parse import quote

from datasette.database import Database, QueryInterrupted, Results
from datasette.views.base import DatasetteError

from ..http.errors import ApiError, log_unavailable
from .sql_functions import DENIED, BoundedConnection

T = TypeVar("T")

MISSING = "There is no log yet. It appears with the first request that is logged. Reload this page then."

# How many seconds a statement waits for a process that writes with the rollback journal, and how many seconds
# pass between two tries. SQLite itself tries every 100 ms, which can miss the gaps between two writes.
PATIENCE = 2.0
RETRY_SECONDS = 0.005
# After so many steps of SQLite a statement ends if the server stops.
STEPS = 10_000
# How many milliseconds Datasette may count the rows of a table. If that is not enough, it shows "many".
COUNT_LIMIT = 100
# How many bytes the rows of one answer may have: all of them are in memory, and become JSON, at once.
MAX_BYTES = 16 * 1024 * 1024
# The longest text or blob that SQL may make: the time limit does not interrupt a function
# (`sql_functions.py`), and to hand a value to such a function stops all other threads for as long as the copy
# takes. A row of the log with more than that cannot be read. The body of a request has at most 32 MiB.
MAX_LENGTH = 48 * 1024 * 1024
# An error that contains one of these is about the file, not about the statement.
FILE_PROBLEMS = ("locked", "unable to open", "disk I/O", "disk image", "not a database")


class LogDatabase(Database):
    """The log at `path`, which need not exist yet.

    Its methods raise ApiError if the file is missing, locked or unreadable. Each thread of Datasette has a
    connection of its own. No transaction stays open on it, so that WAL files can be shortened, and a writer
    waits for at most one statement.
    """

    def __init__(self, datasette: Any, path: Path) -> None:
        super().__init__(datasette, path=str(path), is_mutable=True)
        self._path = path
        self._opened = threading.local()
        self._stopping = threading.Event()

    def connect(self, write: bool = False) -> sqlite3.Connection:
        if write:
            self._refuse()
        connection = sqlite3.connect(
            f"file:{quote(str(self._path.resolve()))}?mode=ro",
            uri=True,
            timeout=0,
            check_same_thread=False,
            factory=BoundedConnection,
        )
        connection.set_authorizer(_authorize)
        connection.set_progress_handler(self._stopping.is_set, STEPS)
        if hasattr(connection, "setlimit"):  # since Python 3.11
            connection.setlimit(getattr(sqlite3, "SQLITE_LIMIT_LENGTH"), MAX_LENGTH)  # noqa: B009
        self._all_file_connections.append(connection)
        return connection

    def stop(self) -> None:
        "Interrupt the statements that run, and those that may follow in the same work."
        self._stopping.set()
        for connection in [*self._all_file_connections]:
            with suppress(sqlite3.ProgrammingError):  # its thread has closed it
                connection.interrupt()

    async def check(self) -> None:
        "Raises ApiError if the log cannot be read."
        await self.execute_fn(lambda connection: connection.execute("select 1 from sqlite_master").close())

    async def execute_fn(self, fn: Callable[[sqlite3.Connection], T]) -> T:
        "Return what `fn` returns for a connection, which it must not keep."
        return await asyncio.get_running_loop().run_in_executor(self.ds.executor, self._run, fn)

    async def execute_write_fn(self, fn: Callable[[sqlite3.Connection], T], block: bool = True) -> T:
        self._refuse()

    async def execute(
        self,
        sql: str,
        params: Any = None,
        truncate: bool = False,
        custom_time_limit: int | None = None,
        page_size: int | None = None,
        log_sql_errors: bool = True,
    ) -> Results:
        """Return the rows of a statement. The arguments are those of Datasette.

        Unlike Datasette's, it limits the time for counting all rows, and the bytes of an answer, and does not
        print statements that fail: they may contain what somebody searches for.
        """
        limits = [self.ds.sql_time_limit_ms, custom_time_limit]
        # `truncate` is for rows that people see, such as those of their own SQL.
        if sql.startswith("select count(*) from") and not truncate:
            limits.append(COUNT_LIMIT)
        milliseconds = min(limit for limit in limits if limit)
        size = page_size or self.ds.page_size
        most = self.ds.max_returned_rows + (self.ds.max_returned_rows == size) if truncate else None

        def read(connection: sqlite3.Connection) -> Results:
            # An open cursor would keep its lock as long as an exception refers to it.
            with _time_limit(connection, milliseconds), closing(connection.cursor()) as cursor:
                try:
                    cursor.execute(sql, {} if params is None else params)
                    return Results(*_fetch(cursor, most), cursor.description)
                except sqlite3.OperationalError as error:
                    if error.args == ("interrupted",):
                        raise QueryInterrupted(error, sql, params) from error
                    raise
                except (sqlite3.Warning, ValueError) as error:
                    # Several statements, or a null character, before Python 3.11.
                    raise sqlite3.ProgrammingError(str(error)) from error

        return await self.execute_fn(read)

    def _patiently(self, fn: Callable[[sqlite3.Connection], T]) -> T:
        "Return what `fn` returns, once no other process locks the file. Raises OSError or sqlite3.Error."
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                return fn(self._connection())
            except sqlite3.OperationalError as error:
                is_over = time.monotonic() > deadline or self._stopping.is_set()
                if "locked" not in str(error) or is_over:
                    raise
            time.sleep(RETRY_SECONDS)

    def _run(self, fn: Callable[[sqlite3.Connection], T]) -> T:
        try:
            return self._patiently(fn)
        except (OSError, sqlite3.Error) as error:
            if isinstance(error, FileNotFoundError):
                raise ApiError(404, MISSING, code="log_missing") from error
            if _is_unavailable(error):
                raise log_unavailable(error) from error
            raise

    def _connection(self) -> sqlite3.Connection:
        "Return this thread's connection. Raises OSError or sqlite3.Error."
        status = os.stat(self._path)
        file = (status.st_dev, status.st_ino)
        connection: sqlite3.Connection | None = getattr(self._opened, "connection", None)
        if connection and self._opened.file == file:
            return connection
        if connection:
            connection.close()
            self._all_file_connections.remove(connection)
        connection = self._opened.connection = self.connect()
        self._opened.file = file
        self.ds._prepare_connection(connection, self.name)
        return connection

    def _refuse(self) -> NoReturn:
        raise DatasetteError("The log is read-only here.", status=403)


@contextmanager
def _time_limit(connection: sqlite3.Connection, milliseconds: float) -> Iterator[None]:
    """Interrupt statements after that time.

    Datasette checks its own limit between instructions of SQLite. Counting all rows of a table is a single
    instruction, which may read hundreds of megabytes.
    """
    timer = threading.Timer(milliseconds / 1000, connection.interrupt)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()  # it must not interrupt the next statement


def _authorize(action: int, *names: str | None) -> int:
    "Deny ATTACH, which could open and create other files, and functions that take too long."
    is_denied = action == sqlite3.SQLITE_ATTACH or (action == sqlite3.SQLITE_FUNCTION and names[1] in DENIED)
    return sqlite3.SQLITE_DENY if is_denied else sqlite3.SQLITE_OK


def _fetch(cursor: sqlite3.Cursor, most: int | None) -> tuple[list[sqlite3.Row], bool]:
    "Return up to `most` rows, and whether there are more. Raises DatasetteError for too many bytes."
    rows: list[sqlite3.Row] = []
    size = 0
    for row in cursor:
        if most is not None and len(rows) == most:
            return rows, True
        size += sum(len(value) for value in row if isinstance(value, str | bytes))
        if size > MAX_BYTES:
            raise DatasetteError(
                f"These rows have more than {MAX_BYTES >> 20} MB. Ask for fewer rows (`_size=5`), for fewer "
                "columns, or for a part of a text (`substr(text, 1, 1000)`).",
                status=400,
                title="Too much text",
            )
        rows.append(row)
    return rows, False


def _is_unavailable(error: OSError | sqlite3.Error) -> bool:
    "Whether the file is the problem and not the statement."
    # The next writer rolls back a journal that a crash left. SQLite names this error since Python 3.11.
    if isinstance(error, OSError) or "READONLY_" in getattr(error, "sqlite_errorname", ""):
        return True
    return any(words in str(error) for words in FILE_PROBLEMS)
