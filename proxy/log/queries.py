"""Reads turns and chains of messages from the log's tables."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

from llm.logs import LogStore
from llm.parts import Message, Part, ReasoningPart, TextPart

from llm_gpt_oss.llm_internals import load_parts

from ..generation import TokenUsage
from .custom_calls import find_custom_calls
from .foreign_json import as_text, number, object_or_empty, read_object
from .ids import end_time
from .logged_turn import LoggedTurn, StoredMessage
from .stored_body import join_shared_fields

ANSWERED = """
select turn_id from gpt_oss_requests where answer_id in (select value from json_each(?))
"""
TURN = """
select turns.*, request.endpoint, request.actor, request.status, request.error, request.finish_reason,
    request.stored, request.metadata, request.request, request.model as requested_model, request.answer_id,
    coalesce(request.added, 0) as added, coalesce(request.first_input, 0) as first_input, request.pieces,
    coalesce(request.deleted, 0) as deleted, (
        select json_group_object(field.name, json(field_value.value))
        from gpt_oss_request_fields as field
        join gpt_oss_field_values as field_value on field_value.id = field.value_id
        where field.turn_id = turns.id
    ) as request_fields
from turns left join gpt_oss_requests as request on request.turn_id = turns.id
"""
CHAIN = """
with recursive chain (hash, parent, role, provider_metadata, depth) as (
    select hash, parent_hash, role, provider_metadata, 0 from messages
    where hash = :tip and hash is not :after
    union all
    select messages.hash, messages.parent_hash, messages.role, messages.provider_metadata, depth + 1
    from messages join chain on messages.hash = chain.parent
    where messages.hash is not :after
)
select hash, role, provider_metadata from chain order by depth desc
"""
# Not sorted: SQLite would copy all texts once more.
PARTS = """
select parts.message_hash, parts.position, parts.type, parts.text, parts.payload
from json_each(?) as hash cross join parts on parts.message_hash = hash.value
"""
# llm puts fragments and attachments of a part into tables of their own, and their ids into its payload.
REFERENCE = re.compile('"(text_ref|attachments?)"')
DESCENDANT = """
with recursive chain (hash) as (
    select :tip
    union all
    select messages.parent_hash from messages join chain on messages.hash = chain.hash
    where chain.hash is not :earlier
)
select 1 from chain where hash is :earlier
"""


def load_turn(log: LogStore, turn_id: str, *, after: str | None = None) -> LoggedTurn | None:
    "Return a turn. `after` is the hash of a message: `prompt` then has only the messages that follow it."
    row = next(log.db.query(f"{TURN} where turns.id = ?", [turn_id]), None)
    return _logged_turn(log, row, load_chain(log, row["tip_message_hash"], after=after)) if row else None


def load_answers(log: LogStore, answer_ids: Sequence[str]) -> list[LoggedTurn]:
    "The turns of these answers, in order. To save time their prompts are not read: `prompt` is empty."
    sql = f"{TURN} where turns.id in ({ANSWERED}) order by turns.id"
    return [
        _logged_turn(log, row, load_chain(log, row["tip_message_hash"], after=row["parent_message_hash"]))
        for row in log.db.query(sql, [json.dumps(answer_ids)])
    ]


def _logged_turn(log: LogStore, row: Mapping[str, Any], chain: Sequence[StoredMessage]) -> LoggedTurn:
    length = next((n for n, stored in enumerate(chain, 1) if stored.hash == row["parent_message_hash"]), 0)
    raw = _response_json(log, row)
    details = read_object(row["token_details"])
    outcome = object_or_empty(raw.get("outcome"))
    return LoggedTurn(
        id=row["id"],
        answer_id=row["answer_id"] or row["id"],
        thread_id=row["thread_id"],
        tip=row["tip_message_hash"],
        endpoint=row["endpoint"],
        model=row["requested_model"] or row["model"],
        actor=row["actor"],
        body=join_shared_fields(row["request"], row["request_fields"]),
        metadata=json.loads(row["metadata"] or "{}"),
        prompt=chain[:length],
        answer=chain[length:],
        added=row["added"],
        first_input=row["first_input"],
        status=row["status"] or (500 if raw.get("error") else 200),
        error=row["error"] or as_text(raw.get("error")),
        finish_reason=row["finish_reason"] or as_text(outcome.get("finish_reason")) or "stop",
        usage=TokenUsage(
            number(row["input_tokens"]) or 0,
            number(row["output_tokens"]) or 0,
            number(details.get("reasoning_tokens")) or 0,
        ),
        completed_at=end_time(row["datetime_utc"], row["duration_ms"]),
        stored=bool(row["stored"]) or row["endpoint"] is None,
        deleted=bool(row["deleted"]),
        pieces=json.loads(row["pieces"]) if row["pieces"] else None,
        custom=find_custom_calls(log.db.conn, row["thread_id"], [each.message for each in chain]),
        raw=raw,
    )


def _response_json(log: LogStore, row: Mapping[str, Any]) -> Mapping[str, Any]:
    stored = row["response_json"]
    # llm replaces texts that are in the messages too. To restore them it reads the whole conversation twice.
    if isinstance(stored, str) and '"$' in stored:
        return resolved_response_json(log, row["id"])
    return read_object(stored)


def resolved_response_json(log: LogStore, turn_id: str) -> dict[str, Any]:
    "The turn's `response_json` with the texts that it refers to. Raises UncondenseError if one is not there."
    return object_or_empty(log.turn_response_json(turn_id))


def load_chain(log: LogStore, tip: str | None, *, after: str | None = None) -> list[StoredMessage]:
    """The messages that lead to `tip`, oldest first; only those after the message `after`, if that is given.

    Empty if the log has no message `tip`.
    """
    rows = log.db.conn.execute(CHAIN, {"tip": tip, "after": after}).fetchall()
    parts = _load_parts(log, [hash for hash, _, _ in rows])
    return [
        StoredMessage(hash, Message(role, parts.get(hash, []), json.loads(metadata) if metadata else None))
        for hash, role, metadata in rows
    ]


def load_message(log: LogStore, hash: str) -> Message | None:
    "The message with this hash, None if the log does not have it."
    sql = "select role, provider_metadata from messages where hash = ?"
    row = log.db.conn.execute(sql, [hash]).fetchone()
    if row is None:
        return None
    parts = _load_parts(log, [hash]).get(hash, [])
    return Message(row[0], parts, json.loads(row[1]) if row[1] else None)


def _load_parts(log: LogStore, hashes: Sequence[str]) -> dict[str, list[Part]]:
    "The parts of messages. llm's own method is several times slower; it reads only what needs other tables."
    parts: dict[str, dict[int, Part]] = {}
    complex_messages = set()
    for hash, position, type, text, payload in log.db.conn.execute(PARTS, [json.dumps(hashes)]):
        if payload and REFERENCE.search(payload):
            complex_messages.add(hash)
        else:
            parts.setdefault(hash, {})[position] = _part(type, text, payload)
    ordered = {
        hash: [part for _, part in sorted(positions.items())] if len(positions) > 1 else [*positions.values()]
        for hash, positions in parts.items()
    }
    return {**ordered, **load_parts(log, [*complex_messages])}


def _part(type: str, text: str | None, payload: str | None) -> Part:
    if text is not None and payload is None:
        return TextPart(text) if type == "text" else ReasoningPart(text)
    fields: Any = {"type": type, **(json.loads(payload) if payload else {})}
    if text is not None:
        fields["text"] = text
    return Part.from_dict(fields)


def is_descendant(connection: sqlite3.Connection, tip: str | None, earlier: str | None) -> bool:
    "Whether the chain that ends at `tip` contains the message `earlier`."
    return connection.execute(DESCENDANT, {"tip": tip, "earlier": earlier}).fetchone() is not None
