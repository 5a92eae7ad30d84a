"Writes to our own tables in llm's log (`llm_gpt_oss/log/migrations.py`)."

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

from llm_gpt_oss.log.redaction import Redaction

from .fingerprint import tool_calls
from .stored_body import SharedField, split_shared_fields, to_text
from .turn import UNFINISHED, Turn

# The endpoint whose stored turns can be listed.
LISTED = "/v1/chat/completions"
# A deleted conversation is never continued: new turns would be deleted with it.
DELETED = "select 1 from gpt_oss_conversations where thread_id = {} and deleted"


def has_turn(connection: sqlite3.Connection, turn: Turn) -> bool:
    """Whether the log has this turn already.

    A later attempt at the same answer has the same id, but other times. A turn whose process ended before
    the answer was complete never replaces another one.
    """
    sql = """
    select 1 from gpt_oss_requests as request join turns on turns.id = request.turn_id
    where turns.id = ? and (? or (request.status, turns.datetime_utc, turns.duration_ms) = (?, ?, ?))
    """
    status, response = turn.request.status, turn.response
    times = [response.datetime_utc(), response.duration_ms()]
    return connection.execute(sql, [turn.id, status == UNFINISHED, status, *times]).fetchone() is not None


def insert_request(
    connection: sqlite3.Connection,
    turn: Turn,
    *,
    covered: int,
    instructions: str | None,
    visible_tip: str | None,
    redaction: Redaction,
) -> None:
    """Writes our rows of a turn, or replaces them.

    The thread's earlier turns hold the first `covered` messages of the prompt. `instructions` and
    `visible_tip` are the columns of that name, computed before anything was redacted.
    """
    request = turn.request.shorten(len(turn.prompt) - covered)
    metadata = redaction.value(request.metadata)
    body, shared_fields = split_shared_fields(redaction.value(request.content))
    row: dict[str, Any] = {
        "turn_id": turn.id,
        "endpoint": request.endpoint,
        "actor": request.actor,
        "client": redaction.value(request.client),
        "status": request.status,
        "error": redaction.value(request.error),
        "finish_reason": request.finish_reason,
        "stored": request.stored,
        "metadata": json.dumps(metadata, ensure_ascii=False) if metadata else None,
        "request": to_text(body),
        "continues": request.left_out,
        "queue_ms": request.queue_ms,
        "first_token_ms": request.first_token_ms,
        "datetime_utc": turn.response.datetime_utc(),
        "instructions": instructions,
        "visible_tip": visible_tip,
        "model": request.model,
        "answer_id": request.answer_id or turn.id,
        "idempotency_key": request.idempotency_key,
        "ignored": json.dumps(redaction.value(request.ignored), ensure_ascii=False)
        if request.ignored
        else None,
        "added": request.added,
        "first_input": request.added + request.known,
        "pieces": json.dumps(request.pieces, separators=(",", ":")) if request.pieces else None,
    }
    values = ", ".join(f":{name}" for name in row)
    connection.execute(f"insert or replace into gpt_oss_requests ({', '.join(row)}) values ({values})", row)
    _insert_shared_fields(connection, turn.id, shared_fields)
    calls = [(call.tool_call_id, turn.id) for call in tool_calls(turn.answer)]
    connection.executemany("insert or ignore into gpt_oss_calls values (?, ?)", calls)
    if request.stored and request.endpoint == LISTED and row["answer_id"] == turn.id:
        set_metadata(connection, turn.id, metadata or {})


def mark_deleted(connection: sqlite3.Connection, turn_ids: Sequence[str]) -> None:
    "Hides turns from the API, until `llm gpt-oss logs prune` deletes them."
    rows = [(turn_id,) for turn_id in turn_ids]
    connection.executemany("update gpt_oss_requests set deleted = 1 where turn_id = ?", rows)
    connection.executemany("delete from gpt_oss_metadata where turn_id = ?", rows)


def set_metadata(connection: sqlite3.Connection, turn_id: str, metadata: Mapping[str, str]) -> None:
    "Replaces the metadata by which a turn is found."
    connection.execute("delete from gpt_oss_metadata where turn_id = ?", [turn_id])
    sql = "insert into gpt_oss_metadata select ?, ?, turn_id, actor from gpt_oss_requests where turn_id = ?"
    connection.executemany(sql, [(key, value, turn_id) for key, value in metadata.items()])


def _insert_shared_fields(
    connection: sqlite3.Connection, turn_id: str, fields: Sequence[SharedField]
) -> None:
    connection.execute("delete from gpt_oss_request_fields where turn_id = ?", [turn_id])
    for field in fields:
        connection.execute(
            "insert or ignore into gpt_oss_field_values values (?, ?)", [field.hash, field.value]
        )
        sql = "insert into gpt_oss_request_fields values (?, ?, ?)"
        connection.execute(sql, [turn_id, field.name, field.hash])


def ensure_conversation(connection: sqlite3.Connection, thread_id: str, actor: str | None) -> None:
    """Adds the row of a conversation, if it has none.

    A message that no turn ends with is kept by its thread alone, which needs this row for it."""
    sql = """
    insert or ignore into gpt_oss_conversations (thread_id, actor, created)
    select id, ?, strftime('%s', datetime_utc) from threads where id = ?
    """
    connection.execute(sql, [actor, thread_id])


def is_deleted(connection: sqlite3.Connection, thread_id: str) -> bool:
    "Whether the conversation was deleted through the API."
    return connection.execute(DELETED.format("?"), [thread_id]).fetchone() is not None
