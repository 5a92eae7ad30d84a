"Opens an existing log for a command that works on all of it."

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from llm_gpt_oss.errors import GptOssError
from llm_gpt_oss.log.database import set_busy_timeout

from .database import open_log
from .file_access import no_log_error

# How many milliseconds to wait for other programs that use the log.
BUSY_TIMEOUT = 10_000
# How much memory SQLite may use for pages of the log, in KiB.
CACHE = 64 * 1024


@contextmanager
def opened_log(path: Path, problem: str) -> Iterator[sqlite3.Connection]:
    """The log at `path`, for one command. What it deletes or replaces is overwritten with zeros.

    Raises GptOssError if there is no log of llm's, and for errors of the database: `problem` says what could
    not be done, after the path.
    """
    try:
        if not path.exists():
            raise no_log_error(path)
        if not _is_log(path):
            raise GptOssError(f"{path} is not a log of llm's. Nothing in it was changed.")
        with closing(open_log(path).db.conn) as connection:
            set_busy_timeout(connection, BUSY_TIMEOUT)
            for schema in ("main", "temp"):
                connection.execute(f"pragma {schema}.cache_size = -{CACHE}")
            connection.execute("pragma secure_delete = on")
            yield connection
    except (OSError, sqlite3.Error) as error:
        raise GptOssError(f"{path} {problem}: {error}.") from error


def _is_log(path: Path) -> bool:
    with closing(sqlite3.connect(path)) as connection:
        set_busy_timeout(connection, BUSY_TIMEOUT)
        try:
            row = connection.execute("select 1 from sqlite_master where name = '_llm_migrations'").fetchone()
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError:  # a file of another kind
            return False
    return row is not None
