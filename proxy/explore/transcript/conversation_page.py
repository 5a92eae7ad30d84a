"Reads the page of a turn or a thread from the log, or finds the page that an id refers to."

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import NamedTuple

from ...log.ids import turn_of_answer
from ...log.logged_turn import from_spool
from ...log.queries import load_chain
from ...log.spool import Spool
from .exchanges import ReadOnlyLog, read_conversation
from .references import TURN_ID, Reference, find_reference
from .turn_summary import summary_of_spooled
from .view import View, view

# A thread whose turns all failed has no end: its page shows the last of them.
THREAD = """
select name, coalesce(tip_message_hash, (
    select tip_message_hash from turns where thread_id = threads.id order by turns.id desc limit 1
)) from threads where id = ?
"""
TURN = """
select turns.thread_id, turns.tip_message_hash, threads.name
from turns left join threads on threads.id = turns.thread_id where turns.id = ?
"""


class ConversationPage(NamedTuple):
    "The page of a turn (`turn_id`) or of a whole thread."

    turn_id: str | None
    thread_id: str | None
    thread_name: str | None
    view: View


# None if nothing has the id.
Found = ConversationPage | Reference | None


def find_turn(connection: sqlite3.Connection, path: Path, id: str, page: int | None) -> Found:
    "Find a turn of the log at `path`. It may be in progress, or wait in the spool."
    if found := _find_spooled(connection, path, id, page):
        return found
    row = connection.execute(TURN, [id]).fetchone()
    if row is None:
        return find_reference(connection, id, "turn") or _spooled_reference(path, turn_of_answer(id))
    thread_id, tip, name = row
    log = ReadOnlyLog(connection)
    conversation = read_conversation(log, load_chain(log, tip), thread_id, id)
    return ConversationPage(id, thread_id, name, view(log, conversation, page, id))


def find_thread(connection: sqlite3.Connection, id: str, page: int | None) -> Found:
    row = connection.execute(THREAD, [id]).fetchone()
    if row is None:
        return find_reference(connection, id, "thread")
    name, tip = row
    log = ReadOnlyLog(connection)
    conversation = read_conversation(log, load_chain(log, tip), id)
    return ConversationPage(None, id, name, view(log, conversation, page))


def _find_spooled(
    connection: sqlite3.Connection, path: Path, id: str, page: int | None
) -> ConversationPage | None:
    found = Spool(path).find(id) if TURN_ID.fullmatch(id) else None
    if found is None:
        return None
    turn, in_progress = found
    logged = from_spool(turn, in_progress)
    log = ReadOnlyLog(connection)
    conversation = read_conversation(log, [*logged.prompt, *logged.answer], None)
    conversation = conversation.with_last_turn(id, len(logged.prompt))
    summaries = {id: summary_of_spooled(turn, in_progress=in_progress)}
    return ConversationPage(id, None, None, view(log, conversation, page, id, summaries))


def _spooled_reference(path: Path, turn_id: str) -> Reference | None:
    is_spooled = TURN_ID.fullmatch(turn_id) and Spool(path).find(turn_id)
    return Reference("turn", turn_id) if is_spooled else None
