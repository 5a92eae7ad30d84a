"""Creates and drops our views, and checks whether they are current.

The views read llm's tables. A migration of llm may rebuild a table, and SQLite may refuse that while a view
refers to it. So `open_database` drops the views before any migration, and creates them again. Migrations by
other commands of llm are safe too: sqlite-utils renames tables with `legacy_alter_table` since version 4.2,
which this package requires.
"""

from __future__ import annotations

import re
import sqlite3
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .view import View

# In the order in which they are created.
NAMES = ("gpt_oss_turns", "gpt_oss_messages", "gpt_oss_tool_calls", "gpt_oss_threads")
# Raised with every change of a view. An older version of this package leaves newer views alone.
VERSION = 2
MARK = r"/\* version (\d+) \*/"


def all_views() -> tuple[View, ...]:
    "The views that `NAMES` names. Prompts check their versions, which does not need their SQL."
    from . import messages, threads, tool_calls, turns

    return (turns.VIEW, messages.VIEW, tool_calls.VIEW, threads.VIEW)


def are_current(connection: sqlite3.Connection) -> bool:
    "Whether the log has all views, of this version or a later one."
    stored = dict(connection.execute("select name, sql from sqlite_master where type = 'view'").fetchall())
    return all(_version(stored.get(name, "")) >= VERSION for name in NAMES)


def create_views(connection: sqlite3.Connection) -> None:
    for view in all_views():
        connection.execute(f"create view {view.name} as /* version {VERSION} */ {view.select}")


def drop_views(connection: sqlite3.Connection) -> None:
    for name in NAMES:
        connection.execute(f"drop view if exists {name}")


def _version(sql: str) -> int:
    mark = re.search(MARK, sql)
    return int(mark[1]) if mark else 0
