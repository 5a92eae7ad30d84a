"""Creates our views, drops them, and finds out whether they are current.

A view depends on tables of llm's. Its migrations may rebuild these, and SQLite may refuse that while a view
refers to a table that is missing in between. So `open_database` drops the views before any migration, and
creates them again. A migration that another command of llm runs is safe as well: sqlite-utils renames tables
with `legacy_alter_table` since version 4.2, which this package requires.
"""

from __future__ import annotations

import re
import sqlite3

from . import messages, threads, tool_calls, turns

# In the order in which they are created.
VIEWS = (turns.VIEW, messages.VIEW, tool_calls.VIEW, threads.VIEW)
# Raised with every change of a view. An older version of this package leaves newer views alone.
VERSION = 1
MARK = re.compile(r"/\* version (\d+) \*/")


def are_current(connection: sqlite3.Connection) -> bool:
    "Whether the log has all views, of this version or a later one."
    stored = dict(connection.execute("select name, sql from sqlite_master where type = 'view'").fetchall())
    return all(_version(stored.get(view.name, "")) >= VERSION for view in VIEWS)


def create_views(connection: sqlite3.Connection) -> None:
    for view in VIEWS:
        connection.execute(f"create view {view.name} as /* version {VERSION} */ {view.select}")


def drop_views(connection: sqlite3.Connection) -> None:
    for view in VIEWS:
        connection.execute(f"drop view if exists {view.name}")


def _version(sql: str) -> int:
    mark = MARK.search(sql)
    return int(mark[1]) if mark else 0
