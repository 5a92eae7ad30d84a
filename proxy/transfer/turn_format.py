"""Writes a turn with everything that the log has about it, to import it into another log as the same turn.

The turn itself is in the format of `log/turn_json`. `thread` is its thread; `tip` is the hash of the thread's
last message. `request` is null for a turn that did not come through the server.

Each message is written once: the prompt lacks the messages that earlier lines have, up to the one with the
hash `after`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import llm
from llm.logs import LogStore

from ..log.foreign_json import read_object, read_value
from ..log.logged_turn import LoggedTurn
from ..log.queries import load_turn
from .seen_keys import SeenKeys

Json = dict[str, Any]

VERSION = 1
ROW = """
select turns.*, schemas.content as schema,
    threads.name as thread_name, threads.forked_from, threads.tip_message_hash as thread_tip
from turns
left join schemas on schemas.id = turns.schema_id
left join threads on threads.id = turns.thread_id
where turns.id = ?
"""
PARENT = "select parent_hash from messages where hash = ?"
REQUEST = "select * from gpt_oss_requests where turn_id = ?"
# The columns of gpt_oss_requests that are exported unchanged, and those that hold JSON. The hashes among them
# cannot be computed again if something was redacted.
PLAIN = (
    "endpoint",
    "actor",
    "client",
    "status",
    "error",
    "finish_reason",
    "queue_ms",
    "first_token_ms",
    "model",
    "answer_id",
    "idempotency_key",
    "added",
    "instructions",
    "visible_tip",
)
JSON = ("metadata", "pieces", "ignored")


def turn_line(log: LogStore, turn_id: str, tools: list[llm.Tool], written: SeenKeys) -> Json | None:
    """Return the turn, or None if it was pruned meanwhile.

    `written` has the hashes of the messages in earlier lines. This function adds those of the turn.
    """
    row = next(log.db.query(ROW, [turn_id]), None)
    after = _last_written(log, row["parent_message_hash"], written) if row else None
    turn = load_turn(log, turn_id, after=after)
    if row is None or turn is None:
        return None
    written.add(stored.hash for stored in (*turn.prompt, *turn.answer))
    return {
        "turn": VERSION,
        "thread": {
            "id": row["thread_id"],
            "name": row["thread_name"],
            "forked_from": row["forked_from"],
            "tip": row["thread_tip"],
        },
        "after": after,
        "request": _request(log, turn),
        "response": _response(turn, row),
        "stream": True,
        "resolved_model": row["resolved_model"],
        "duration_ms": row["duration_ms"],
        "response_json": turn.raw or None,
        "schema": read_value(row["schema"]),
        "tools": [
            {
                "name": tool.name,
                "description": tool.description,
                "input_schema": tool.input_schema,
                "plugin": tool.plugin,
            }
            for tool in tools
        ],
    }


def _last_written(log: LogStore, hash: str | None, written: SeenKeys) -> str | None:
    "Return the hash of the last message up to this one that an earlier line has, or None."
    while hash is not None and hash not in written:
        row = log.db.conn.execute(PARENT, [hash]).fetchone()
        hash = row[0] if row else None
    return hash


def _response(turn: LoggedTurn, row: Mapping[str, Any]) -> Json:
    "Return the turn like llm's own `Response.to_dict`, with the messages of the prompt that `turn` has."
    counts = {"input": row["input_tokens"], "output": row["output_tokens"]}
    usage = {name: count for name, count in counts.items() if count is not None}
    details = read_object(row["token_details"])
    return {
        "model": row["model"],
        "prompt": {
            "messages": [stored.message.to_dict() for stored in turn.prompt],
            "options": read_object(row["options_json"]),
        },
        "messages": [stored.message.to_dict() for stored in turn.answer],
        "id": turn.id,
        **({"usage": {**usage, **({"details": details} if details else {})}} if usage else {}),
        "datetime_utc": row["datetime_utc"],
    }


def _request(log: LogStore, turn: LoggedTurn) -> Json | None:
    row = next(log.db.query(REQUEST, [turn.id]), None)
    return row and {
        **{name: row[name] for name in PLAIN},
        **{name: json.loads(row[name]) for name in JSON if row[name]},
        "stored": bool(row["stored"]),
        "known": row["first_input"] - row["added"],
        "left_out": row["continues"],
        "custom_calls": sorted(turn.custom),
        "body": json.dumps(turn.body, ensure_ascii=False),
    }
