"""Reads turns and chains of messages from the log's tables."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

from llm.logs import LogStore
from llm.parts import Message, Part, ReasoningPart, TextPart

from ..generation import TokenUsage
from .fingerprint import tool_calls
from .ids import end_time
from .logged_turn import LoggedTurn, StoredMessage

ANSWERED = """
select turn_id from gpt_oss_requests where answer_id in (select value from json_each(?))
"""
TURN = """
select turns.*, request.endpoint, request.actor, request.status, request.error, request.finish_reason,
    request.stored, request.metadata, request.request, request.model as asked, request.answer_id,
    coalesce(request.added, 0) as added, coalesce(request.first_input, 0) as first_input, request.pieces,
    coalesce(request.deleted, 0) as deleted
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
select chain.hash, chain.role, chain.provider_metadata, parts.type, parts.text, parts.payload
from chain left join parts on parts.message_hash = chain.hash
order by chain.depth desc, parts.position
"""
DESCENDANT = """
with recursive chain (hash) as (
    select :tip
    union all
    select messages.parent_hash from messages join chain on messages.hash = chain.hash
    where chain.hash is not :earlier
)
select 1 from chain where hash is :earlier
"""


def load_turn(log: LogStore, turn_id: str) -> LoggedTurn | None:
    row = next(log.db.query(f"{TURN} where turns.id = ?", [turn_id]), None)
    return _logged(log, row, load_chain(log, row["tip_message_hash"])) if row else None


def load_answers(log: LogStore, answer_ids: Sequence[str]) -> list[LoggedTurn]:
    "The turns of these answers, in order, without what they were asked with: `prompt` is empty."
    sql = f"{TURN} where turns.id in ({ANSWERED}) order by turns.id"
    return [
        _logged(log, row, load_chain(log, row["tip_message_hash"], after=row["parent_message_hash"]))
        for row in log.db.query(sql, [json.dumps(answer_ids)])
    ]


def _logged(log: LogStore, row: Mapping[str, Any], chain: Sequence[StoredMessage]) -> LoggedTurn:
    prompt = next((n for n, each in enumerate(chain, 1) if each.hash == row["parent_message_hash"]), 0)
    raw = _raw(log, row)
    details = json.loads(row["token_details"] or "{}")
    return LoggedTurn(
        id=row["id"],
        answer_id=row["answer_id"] or row["id"],
        thread_id=row["thread_id"],
        tip=row["tip_message_hash"],
        endpoint=row["endpoint"],
        model=row["asked"] or row["model"],
        actor=row["actor"],
        body=json.loads(row["request"] or "{}"),
        metadata=json.loads(row["metadata"] or "{}"),
        prompt=chain[:prompt],
        answer=chain[prompt:],
        added=row["added"],
        first_input=row["first_input"],
        status=row["status"] or (500 if raw.get("error") else 200),
        error=row["error"] or raw.get("error"),
        finish_reason=row["finish_reason"] or (raw.get("outcome") or {}).get("finish_reason") or "stop",
        usage=TokenUsage(
            row["input_tokens"] or 0, row["output_tokens"] or 0, details.get("reasoning_tokens", 0)
        ),
        completed_at=end_time(row["datetime_utc"], row["duration_ms"]),
        stored=bool(row["stored"]) or row["endpoint"] is None,
        deleted=bool(row["deleted"]),
        pieces=json.loads(row["pieces"]) if row["pieces"] else None,
        custom=_custom(log, [each.message for each in chain]),
        raw=raw,
    )


def _custom(log: LogStore, messages: Sequence[Message]) -> frozenset[str]:
    "Which of the calls in these messages are of custom tools."
    ids = [call.tool_call_id for call in tool_calls(messages)]
    if not ids:
        return frozenset()
    sql = "select call_id from gpt_oss_custom_calls where call_id in (select value from json_each(?))"
    return frozenset(call_id for (call_id,) in log.db.conn.execute(sql, [json.dumps(ids)]))


def _raw(log: LogStore, row: Mapping[str, Any]) -> Mapping[str, Any]:
    written = row["response_json"] or "{}"
    # Where llm left out what the messages say. To put it back it reads the whole conversation, twice.
    raw = log.turn_response_json(row["id"]) if '"$' in written else json.loads(written)
    return raw if isinstance(raw, dict) else {}


def load_chain(log: LogStore, tip: str | None, *, after: str | None = None) -> list[StoredMessage]:
    """The messages that lead to `tip`, oldest first; only those after the message `after`, if that is given.

    Empty where the log has no message `tip`.
    """
    chain: list[StoredMessage] = []
    by_llm: list[StoredMessage] = []
    for hash, role, metadata, *part in log.db.conn.execute(CHAIN, {"tip": tip, "after": after}):
        if not chain or chain[-1].hash != hash:
            chain.append(StoredMessage(hash, Message(role, [], json.loads(metadata) if metadata else None)))
        stored = chain[-1]
        if _refers_to_rows(*part):
            by_llm.append(stored)
        elif part[0]:
            stored.message.parts.append(_part(*part))
    if by_llm:
        parts = log._load_parts([stored.hash for stored in by_llm])
        for stored in by_llm:
            stored.message.parts[:] = parts[stored.hash]
    return chain


def _refers_to_rows(type: str | None, _: str | None, payload: str | None) -> bool:
    "Whether the part uses attachments or fragments, which llm stores in tables of their own."
    return payload is not None and (
        type == "attachment" or '"text_ref"' in payload or '"attachments"' in payload
    )


def _part(type: str, text: str | None, payload: str | None) -> Part:
    if payload is None and text is not None:
        if type == "text":
            return TextPart(text)
        if type == "reasoning":
            return ReasoningPart(text)
    fields: Any = {"type": type, **(json.loads(payload) if payload else {})}
    if text is not None:
        fields["text"] = text
    return Part.from_dict(fields)


def is_descendant(connection: sqlite3.Connection, tip: str | None, earlier: str | None) -> bool:
    "Whether the chain that ends at `tip` contains the message `earlier`."
    return connection.execute(DESCENDANT, {"tip": tip, "earlier": earlier}).fetchone() is not None
