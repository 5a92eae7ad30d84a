"Finds the turn or the thread that an id refers to: an id of the log, or one that the API returned."

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from llm.logs import HASH_PREFIX

from ...items.ids import parse_item_id
from ...log.ids import turn_of_answer
from ...log.lookup import parse_conversation_id
from ...log.spool import Spool
from .exchanges import NEAREST_TURN

# Instead of an id, as in `llm gpt-oss prompt --turn last`.
LATEST = "last"

HAS_TURN = "select id from turns where id = ?"
HAS_THREAD = "select id from threads where id = ?"
LAST_TURN = "select max(id) from turns"
LAST_THREAD = "select thread_id from turns where thread_id is not null order by id desc limit 1"
KEPT_ITEM = "select message_hash from gpt_oss_items where item_id = ?"
CALL = "select turn_id from gpt_oss_calls where call_id = ? order by turn_id limit 1"


# Other ids are not looked for in the spool, whose files are named after turns.
TURN_ID = re.compile("[0-9a-z]{1,40}", re.ASCII)


class Reference(NamedTuple):
    "`kind` is turn or thread."

    kind: str
    id: str


def find_reference(connection: sqlite3.Connection, id: str, kind: str) -> Reference | None:
    "Return what the id refers to, or None. `kind` decides for `last`, and if both kinds have the id."
    if id == LATEST:
        found = _first(connection, LAST_THREAD if kind == "thread" else LAST_TURN)
        return Reference(kind, found) if found else None
    turn_id = _first(connection, HAS_TURN, turn_of_answer(id))
    thread_id = _first(connection, HAS_THREAD, parse_conversation_id(id) or id)
    if turn_id and (kind == "turn" or not thread_id):
        return Reference("turn", turn_id)
    if thread_id:
        return Reference("thread", thread_id)
    turn_id = _turn_of_item(connection, id) or _first(connection, CALL, id)
    return Reference("turn", turn_id) if turn_id else None


def is_known(path: Path, id: str) -> bool:
    """Whether the log at `path` has a turn or a thread with this id, or a turn with it waits.

    True as well if that cannot be found out now, because the log is locked or is no database.
    """
    turn_id = turn_of_answer(id)
    if TURN_ID.fullmatch(turn_id) and Spool(path).find(turn_id):
        return True
    if not path.exists():
        return False
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path.resolve()))}?mode=ro", uri=True)) as connection:
            return find_reference(connection, id, "turn") is not None
    except sqlite3.Error as error:
        # A log that only llm has written to has no ids of the API.
        return "no such table: gpt_oss_" not in str(error)


def _turn_of_item(connection: sqlite3.Connection, item_id: str) -> str | None:
    message = _first(connection, KEPT_ITEM, item_id)
    if message is None:
        parsed = parse_item_id(item_id)
        if parsed is None:
            return None
        if turn_id := _first(connection, HAS_TURN, parsed[0]):
            return turn_id
        message = HASH_PREFIX + parsed[0]
    return _first(connection, NEAREST_TURN, message)


def _first(connection: sqlite3.Connection, sql: str, *values: str) -> str | None:
    row = connection.execute(sql, values).fetchone()
    return row[0] if row else None
