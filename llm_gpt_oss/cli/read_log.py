"Opens the log for a command that reads it, and says what to type if that is not possible."

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from ..log.database import open_database

# How many milliseconds to wait for a program that has locked the log.
PATIENCE = 3000


@contextmanager
def opened_log(path: Path) -> Iterator[sqlite3.Connection]:
    """Open the log at `path`, with our views, to read it.

    Raises ClickException if the log does not exist, is locked, cannot be read, or is not a log of llm.
    """
    if not path.exists():
        raise click.ClickException(
            f"There is no log at {path} yet. A first prompt makes one: llm -m gpt-oss 'Hi'"
        )
    try:
        database = open_database(path, busy_timeout=PATIENCE)
        try:
            database.conn.execute("pragma query_only = 1")
            yield database.conn
        finally:
            database.close()
    except (OSError, sqlite3.Error) as problem:
        raise click.ClickException(_message(path, problem)) from problem


def _message(path: Path, problem: Exception) -> str:
    text = str(problem)
    if "locked" in text:
        return f"Another program has locked the log {path}. Try again when it is done."
    if "readonly" in text:
        return (
            f"The log {path} has no views of this version, and cannot be changed to get them. Type this as a "
            "user who can write it, once: llm gpt-oss stats"
        )
    return f"The log {path} cannot be read: {text}. Type `llm logs path` for the path of llm's own."
