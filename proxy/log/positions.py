"Finds the logged turn that a request continues, by hashes of its history or by its tool calls."

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from .tables import DELETED

# How many hashes or calls are looked for at first.
FIRST_LOOKUP = 16
LAST_KNOWN = f"""
select prefix.key as position, turns.thread_id, turns.tip_message_hash as tip,
    threads.tip_message_hash as thread_tip
from json_each(:values) as prefix
join gpt_oss_requests as request on request.visible_tip = prefix.value
join turns on turns.id = request.turn_id
join threads on threads.id = turns.thread_id
where request.actor is :actor and request.turn_id is not :exclude_turn
    and (:required_tip is null or turns.tip_message_hash = :required_tip)
    and not exists ({DELETED.format("threads.id")})
order by prefix.key desc, request.instructions is :instructions desc,
    turns.tip_message_hash is threads.tip_message_hash desc, turns.id desc
limit 1
"""
LAST_CALL = f"""
select call.key as position, turns.thread_id, turns.tip_message_hash as tip,
    threads.tip_message_hash as thread_tip
from json_each(:values) as call
join gpt_oss_calls on gpt_oss_calls.call_id = call.value
join gpt_oss_requests as request on request.turn_id = gpt_oss_calls.turn_id
join turns on turns.id = request.turn_id
join threads on threads.id = turns.thread_id
where request.actor is :actor and not exists ({DELETED.format("threads.id")})
order by call.key desc, turns.id desc
limit 1
"""


class LogPosition(NamedTuple):
    """The turn that matches one of the values looked for: which value, its thread, its last message, and the
    message at which that thread ends now, which is None if all of its turns failed.
    """

    matched: int
    thread_id: str
    tip: str
    thread_tip: str | None


def find_by_prefix(
    connection: sqlite3.Connection,
    hashes: Sequence[str | None],
    instructions: str | None,
    actor: str | None,
    exclude_turn: str,
    required_tip: str | None = None,
) -> LogPosition | None:
    """The actor's last turn at the end of which the conversation had one of these hashes; later hashes first.

    The turn `exclude_turn` does not count, and only turns that ended with the message `required_tip`, if that
    is given. Of several turns, those with the same instructions come first.
    """
    conditions = {
        "instructions": instructions,
        "actor": actor,
        "exclude_turn": exclude_turn,
        "required_tip": required_tip,
    }
    return _find_last(connection, LAST_KNOWN, hashes, conditions)


def find_by_calls(
    connection: sqlite3.Connection, call_ids: Sequence[str | None], actor: str | None
) -> LogPosition | None:
    "The turn that made the last of these calls, among those of the actor."
    return _find_last(connection, LAST_CALL, call_ids, {"actor": actor})


def _find_last(
    connection: sqlite3.Connection, sql: str, values: Sequence[str | None], conditions: Mapping[str, Any]
) -> LogPosition | None:
    "Looks up a few values at a time, the last ones first: most requests add little to what is logged."
    end, size = len(values), FIRST_LOOKUP
    while end > 0:
        start = max(0, end - size)
        if any(values[start:end]):
            given = {"values": json.dumps(values[start:end]), **conditions}
            if row := connection.execute(sql, given).fetchone():
                position = LogPosition(*row)
                return position._replace(matched=start + position.matched)
        end, size = start, size * 8
    return None
