"The calls of custom tools, which take free text instead of JSON."

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable

from llm.parts import Message, ToolCallPart, ToolResultPart

from ..generation import CustomCall

CUSTOM_CALLS = """
select call_id, name from gpt_oss_custom_calls
where thread_id = ? and call_id in (select value from json_each(?))
"""


def insert_custom_calls(
    connection: sqlite3.Connection, thread_id: str, custom_calls: Iterable[CustomCall]
) -> None:
    rows = [(thread_id, *call) for call in custom_calls]
    connection.executemany("insert or ignore into gpt_oss_custom_calls values (?, ?, ?)", rows)


def copy_custom_calls(connection: sqlite3.Connection, thread_id: str, fork: str) -> None:
    "Gives a fork the calls of the thread that it was forked from."
    copied = "select ?, call_id, name from gpt_oss_custom_calls where thread_id = ?"
    sql = f"insert into gpt_oss_custom_calls {copied}"
    connection.execute(sql, [fork, thread_id])


def find_custom_calls(
    connection: sqlite3.Connection, thread_id: str | None, messages: Iterable[Message]
) -> frozenset[CustomCall]:
    "The calls of custom tools among the calls and results in these messages of a thread."
    parts = (part for message in messages for part in message.parts)
    ids = [part.tool_call_id for part in parts if isinstance(part, ToolCallPart | ToolResultPart)]
    if not ids:
        return frozenset()
    rows = connection.execute(CUSTOM_CALLS, [thread_id, json.dumps(ids)])
    return frozenset(CustomCall(*row) for row in rows)
