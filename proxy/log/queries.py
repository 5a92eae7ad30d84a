"""Reads turns and chains of messages from the log's tables."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from llm.logs import LogStore
from llm.parts import Message

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
    where hash = :tip and hash is not :behind
    union all
    select messages.hash, messages.parent_hash, messages.role, messages.provider_metadata, depth + 1
    from messages join chain on messages.hash = chain.parent
    where messages.hash is not :behind
)
select hash, role, provider_metadata from chain order by depth desc
"""


def load_turn(log: LogStore, turn_id: str) -> LoggedTurn | None:
    row = next(log.db.query(f"{TURN} where turns.id = ?", [turn_id]), None)
    return _logged(log, row, load_chain(log, row["tip_message_hash"])) if row else None


def load_answers(log: LogStore, answer_ids: Sequence[str]) -> list[LoggedTurn]:
    "The turns of these answers, in order, without what they were asked with: `prompt` is empty."
    sql = f"{TURN} where turns.id in ({ANSWERED}) order by turns.id"
    return [
        _logged(log, row, load_chain(log, row["tip_message_hash"], behind=row["parent_message_hash"]))
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


def load_chain(log: LogStore, tip: str | None, *, behind: str | None = None) -> list[StoredMessage]:
    "The chain up to `tip`, oldest first; of it what stands behind one of its messages, if that is named."
    rows = log.db.conn.execute(CHAIN, {"tip": tip, "behind": behind}).fetchall()
    # As llm's `load_chain`, which asks for each message by itself.
    parts = log._load_parts([hash for hash, _, _ in rows])
    return [
        StoredMessage(hash, Message(role, parts.get(hash, []), json.loads(metadata) if metadata else None))
        for hash, role, metadata in rows
    ]
