"""Which users of this machine can read the log: the database, the files that SQLite keeps beside it, and the
turns that wait to be written.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from llm_gpt_oss.errors import GptOssError

# SQLite adds these to the name of the database: https://www.sqlite.org/tempfiles.html
ENDINGS = ("", "-wal", "-shm", "-journal")
NOT_THE_OWNER = stat.S_IRWXG | stat.S_IRWXO


def is_open_to_others(path: Path) -> bool:
    "Whether users outside the file's group can read or write it. False where files have no such permissions."
    if os.name != "posix":
        return False
    path = path.resolve()
    try:
        is_open = path.stat().st_mode & (stat.S_IROTH | stat.S_IWOTH)
        return bool(is_open) and all(folder.stat().st_mode & stat.S_IXOTH for folder in path.parents)
    except OSError:
        return False


def no_log_error(database: Path) -> GptOssError:
    return GptOssError(f"There is no log at {database}.", remedy="`llm logs path` shows where llm's log is.")


def protect(database: Path, spool: Path) -> list[Path]:
    """Let only their owners use the files of the log at `database`. Return those that others could use.

    `spool` is the folder of the turns that wait to be written.
    Raises GptOssError if there is no log, and if another user owns a file of it.
    """
    if not database.exists():
        raise no_log_error(database)
    changed = []
    for path in _files(database, spool):
        try:
            mode = stat.S_IMODE(path.stat().st_mode)
            if mode & NOT_THE_OWNER:
                path.chmod(mode & ~NOT_THE_OWNER)
                changed.append(path)
        except FileNotFoundError:
            continue  # a turn was logged meanwhile, or there is no such file
        except OSError as problem:
            raise GptOssError(
                f"{path} cannot be protected: {problem.strerror}.",
                remedy="Type the same as the user who owns it.",
            ) from problem
    return changed


def _files(database: Path, spool: Path) -> Iterator[Path]:
    target = database.resolve()
    yield from (target.with_name(f"{target.name}{ending}") for ending in ENDINGS)
    yield spool
    if spool.is_dir():
        # A link is left alone: what it leads to is not part of the log.
        yield from (path for path in spool.iterdir() if not path.is_symlink())
