"Opens the log with the tables of this package."

from __future__ import annotations

from pathlib import Path

from llm_gpt_oss.log.database import open_database, set_busy_timeout
from llm_gpt_oss.log.redaction import NO_REDACTION, Redaction

from .llm_store import CachedSchemaDatabase, ChainStore

# How many milliseconds to wait for the lock of another process. Its turns take a few; a process that holds
# the lock longer must not delay answers.
BUSY_TIMEOUT = 2000
SHORT_BUSY_TIMEOUT = 20


def open_log(path: Path, busy_timeout: int | None = None, redaction: Redaction = NO_REDACTION) -> ChainStore:
    """Opens llm's store, with all migrations applied (`open_database`).

    `busy_timeout` is BUSY_TIMEOUT by default. `redaction` is applied to what is written. Raises OSError or
    sqlite3.Error.
    """
    patience = BUSY_TIMEOUT if busy_timeout is None else busy_timeout
    database = open_database(path, busy_timeout=patience)
    return ChainStore(CachedSchemaDatabase(database.conn), redaction)


class LogFile:
    """The log at `path`, for one thread.

    If the file was replaced it is opened again, because rows in a deleted database are lost. What is written
    is redacted with the patterns that the user's file had when this was created. Raises GptOssError for a
    mistake in it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._redaction = Redaction.load()
        self._log: ChainStore | None = None
        self._inode: int | None = None
        self._busy_timeout: int | None = None

    def opened(self) -> ChainStore:
        "Return the open log. Raises OSError or sqlite3.Error."
        if self._log and self._current_inode() != self._inode:
            self.close()
        if self._log is None:
            self._log = open_log(self._path, self._busy_timeout, self._redaction)
            self._inode = self._current_inode()
        return self._log

    def set_busy_timeout(self, milliseconds: int) -> None:
        "How long to wait for the lock of another process from now on."
        if self._log and milliseconds != self._busy_timeout:
            set_busy_timeout(self._log.db.conn, milliseconds)
        self._busy_timeout = milliseconds

    def close(self) -> None:
        if self._log:
            self._log.db.close()
            self._log = None

    def _current_inode(self) -> int | None:
        try:
            return self._path.stat().st_ino
        except OSError:
            return None
