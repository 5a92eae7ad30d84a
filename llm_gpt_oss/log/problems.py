"""Says what keeps turns from being logged, and what to type. `/health` and `llm gpt-oss status` show it."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

from .database import check_writable, set_busy_timeout, unlogged_folder
from .unlogged_files import unlogged_turns

# With less free space than this, SQLite may be unable to write a turn.
FULL_BYTES = 64 * 1024
# How many milliseconds to wait for another process that has locked the database.
PATIENCE = 200
SHOWN_NAMES = 5
WAITING = "llm gpt-oss logs waiting"
RETRY = f"{WAITING} --retry"


def log_problems(database: Path) -> Iterator[str]:
    "Yield what keeps turns out of this database, and what to type. This needs no server."
    folder = unlogged_folder(database)
    waiting, unusable = unlogged_turns(folder)
    if problem := _database_problem(database):
        yield problem
    if problem := disk_problem(database):
        yield problem
    if os.path.lexists(folder) and not (folder.is_dir() and os.access(folder, os.R_OK | os.W_OK | os.X_OK)):
        yield f"{folder} cannot be written. Make it a folder that you own, with a mode of 0700."
    if waiting:
        yield (
            f"{count_turns(waiting)} in {folder}. A running server logs them as soon as it can. If none "
            f"runs, type `{RETRY}`."
        )
    if problem := unusable_problem(str(folder), unusable):
        yield problem


def disk_problem(database: Path) -> str | None:
    try:
        free = shutil.disk_usage(database.parent).free
    except OSError:
        return None
    return f"The disk of the log is full: {free} bytes are free. Make room." if free < FULL_BYTES else None


def unusable_problem(folder: str, names: Sequence[str]) -> str | None:
    if not names:
        return None
    more = f" and {len(names) - SHOWN_NAMES} more" if len(names) > SHOWN_NAMES else ""
    return (
        f"{folder} has entries that cannot be logged: {', '.join(names[:SHOWN_NAMES])}{more}. `{WAITING}` "
        f"says why. `{RETRY}` tries the turns among them again. Move the others to another place."
    )


def count_turns(number: int) -> str:
    return "1 turn waits" if number == 1 else f"{number} turns wait"


def _database_problem(database: Path) -> str | None:
    "Return why the database cannot be written, or None. A missing one is created when a turn is logged."
    if not database.exists():
        return None
    try:
        with closing(sqlite3.connect(f"{database.absolute().as_uri()}?mode=rw", uri=True)) as connection:
            set_busy_timeout(connection, PATIENCE)
            check_writable(connection, database)
            return None
    except sqlite3.Error as error:
        return f"Turns cannot be logged: {error}. Make {database} writable, and end what keeps it locked."
