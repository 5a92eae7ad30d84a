"""Finds the last turn of each conversation. Its chain of messages contains the earlier turns.

Clients send a conversation again with each turn, and may leave out its reasoning. So turns are compared by
the hashes of `log/fingerprint`, with which the server finds the thread that a request continues.
"""

from __future__ import annotations

from collections.abc import Iterator

from llm.logs import LogStore

from ..log.fingerprint import prefix_hashes
from ..log.logged_turn import StoredMessage
from ..log.queries import load_turn
from ..log.thread_match import hash_prompt
from .seen_keys import SeenKeys, temporary_database
from .selection import Selection, turn_ids

TURN = """
select turns.thread_id, request.turn_id is not null, request.instructions, request.visible_tip
from turns left join gpt_oss_requests as request on request.turn_id = turns.id
where turns.id = ?
"""


def conversation_ends(log: LogStore, selection: Selection) -> Iterator[str]:
    """Yield the ids of the selected turns that no other one continues, in the order of the log.

    If several turns have the same conversation, only the last one is yielded. Turns whose answer has neither
    text nor a tool call are ignored.
    """
    with temporary_database() as database:
        database.execute("create table ends (turn_id text primary key) without rowid")
        covered = SeenKeys(database)
        # A turn that continues another one has the greater id.
        for turn_id in turn_ids(log, selection, descending=True):
            if keys := _new_keys(log, turn_id, covered):
                covered.add(keys)
                database.execute("insert into ends values (?)", [turn_id])
        yield from (turn_id for (turn_id,) in database.execute("select turn_id from ends order by turn_id"))


def _new_keys(log: LogStore, turn_id: str, covered: SeenKeys) -> list[str]:
    "Return the keys of all prefixes of the conversation, or none if a later conversation contains it."
    row = log.db.conn.execute(TURN, [turn_id]).fetchone()
    if row is None:
        return []  # pruned meanwhile
    thread_id, has_request, instructions, visible_tip = row
    if has_request and _is_covered(covered, thread_id, instructions, visible_tip):
        return []
    turn = load_turn(log, turn_id)
    if turn is None or not any(map(_is_visible, turn.answer)):
        return []
    prompt = hash_prompt([stored.message for stored in turn.prompt])
    end = prompt.hash_with([stored.message for stored in turn.answer])
    if _is_covered(covered, thread_id, prompt.instructions_hash, end):
        return []
    hashes = [hash for hash in (*prompt.prefix_hashes, end) if hash]
    return [key for hash in hashes for key in _keys(thread_id, prompt.instructions_hash, hash)]


def _is_visible(stored: StoredMessage) -> bool:
    return [*prefix_hashes([stored.message])] != [None]


def _is_covered(
    covered: SeenKeys, thread_id: str | None, instructions: str | None, visible: str | None
) -> bool:
    "Whether a later conversation begins with this one. An empty one is the beginning of all."
    return visible is None or any(key in covered for key in _keys(thread_id, instructions, visible))


def _keys(thread_id: str | None, instructions: str | None, visible: str) -> tuple[str, str]:
    """Return the keys of a prefix: one within its thread, and one across threads.

    Instructions may change within a thread, because agents write the time of day into them. In another
    thread, the same messages after other instructions are another conversation.
    """
    return f"{thread_id} {visible}", f"{instructions}/{visible}"
