"""Our own tables in llm's log: what llm has no column for, and what identifies a conversation."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from llm.parts import Message, ToolCallPart, ToolResultPart

from ..generation import CustomCall
from .fingerprint import tool_calls
from .stored_body import SharedField, split_shared_fields, to_text
from .turn import UNFINISHED, Turn

# The endpoint whose stored turns can be listed.
LISTED = "/v1/chat/completions"

# Append-only: a released migration is never changed.
#
# gpt_oss_requests has a row for each turn of the proxy. `instructions` and `visible_tip` are hashes of the
# conversation up to and including the answer (`fingerprint`). `request` is the body without what the log
# has already: `continues` counts the entries of its list of messages or items that earlier turns of the
# thread hold. `ignored` is a JSON list of the body's fields that the server ignored. The first `added`
# messages of the prompt do not belong to the conversation, and the request's own messages begin at
# `first_input`. `answer_id` is the turn of the answer's first choice. `llm logs` shows `deleted` turns, the
# API does not.
#
# gpt_oss_request_fields has the long fields of a body, such as the tools of an agent, which programs repeat
# in each request. gpt_oss_field_values has each value once, by the hash of its JSON text. Rows from before
# m003_request_fields have these fields in `request`. Pruning deletes values that no turn uses any more.
#
# gpt_oss_items has the items of a thread whose ids differ from those that `items` computes.
# gpt_oss_metadata has the metadata of stored chat completions, by the turn of the first choice.
#
# gpt_oss_custom_calls has the calls of custom tools in each thread. m002_state had one row for an id, whoever
# used it. The rows of m005_custom_calls are for calls that have a custom tool's only argument.
MIGRATIONS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        "m001_requests",
        (
            """
            create table gpt_oss_requests (
                turn_id text primary key references turns (id), endpoint text not null, actor text,
                client text, status integer not null, error text, finish_reason text, stored integer not null,
                metadata text, request text not null, continues integer not null, queue_ms integer,
                first_token_ms integer, datetime_utc text not null, instructions text, visible_tip text
            )
            """,
            "create index gpt_oss_requests_visible_tip on gpt_oss_requests (visible_tip)",
            """
            create table gpt_oss_calls (
                call_id text not null, turn_id text not null references turns (id),
                primary key (call_id, turn_id)
            ) without rowid
            """,
        ),
    ),
    (
        "m002_state",
        (
            "alter table gpt_oss_requests add column model text",
            "alter table gpt_oss_requests add column answer_id text",
            "alter table gpt_oss_requests add column idempotency_key text",
            "alter table gpt_oss_requests add column added integer not null default 0",
            "alter table gpt_oss_requests add column first_input integer not null default 0",
            "alter table gpt_oss_requests add column pieces text",
            "alter table gpt_oss_requests add column deleted integer not null default 0",
            "update gpt_oss_requests set answer_id = turn_id",
            "create index gpt_oss_requests_answer on gpt_oss_requests (answer_id)",
            """
            create index gpt_oss_requests_idempotency on gpt_oss_requests (idempotency_key)
                where idempotency_key is not null
            """,
            """
            create index gpt_oss_requests_stored on gpt_oss_requests (endpoint, turn_id)
                where stored and not deleted
            """,
            """
            create index gpt_oss_requests_stored_model on gpt_oss_requests (endpoint, model, turn_id)
                where stored and not deleted
            """,
            """
            create index gpt_oss_requests_stored_actor on gpt_oss_requests (endpoint, actor, turn_id)
                where stored and not deleted
            """,
            """
            create index gpt_oss_requests_stored_actor_model
                on gpt_oss_requests (endpoint, actor, model, turn_id) where stored and not deleted
            """,
            """
            create table gpt_oss_metadata (
                key text not null, value text not null, turn_id text not null references turns (id),
                actor text, primary key (key, value, turn_id)
            ) without rowid
            """,
            "create index gpt_oss_metadata_actor on gpt_oss_metadata (key, value, actor, turn_id)",
            "create index gpt_oss_metadata_turn on gpt_oss_metadata (turn_id)",
            "create table gpt_oss_custom_calls (call_id text primary key) without rowid",
            """
            create table gpt_oss_conversations (
                thread_id text primary key references threads (id), actor text, metadata text,
                created integer not null, deleted integer not null default 0
            )
            """,
            """
            create table gpt_oss_items (
                thread_id text not null references threads (id), message_hash text not null,
                n integer not null, item_id text not null, primary key (thread_id, message_hash, n)
            ) without rowid
            """,
            "create index gpt_oss_items_id on gpt_oss_items (item_id)",
            "create index gpt_oss_turns_tip on turns (tip_message_hash)",
            "create index gpt_oss_threads_tip on threads (tip_message_hash)",
        ),
    ),
    (
        "m003_request_fields",
        (
            "create table gpt_oss_field_values (id text primary key, value text not null)",
            """
            create table gpt_oss_request_fields (
                turn_id text not null references turns (id), name text not null,
                value_id text not null references gpt_oss_field_values (id), primary key (turn_id, name)
            ) without rowid
            """,
            "create index gpt_oss_request_fields_value on gpt_oss_request_fields (value_id)",
        ),
    ),
    ("m004_ignored", ("alter table gpt_oss_requests add column ignored text",)),
    (
        "m005_custom_calls",
        (
            "alter table gpt_oss_custom_calls rename to gpt_oss_custom_call_ids",
            """
            create table gpt_oss_custom_calls (
                thread_id text not null references threads (id), call_id text not null, name text not null,
                primary key (thread_id, call_id, name)
            ) without rowid
            """,
            """
            with recursive including (call_id, name, hash) as (
                select known.call_id, json_extract(parts.payload, '$.name'), parts.message_hash
                from parts join gpt_oss_custom_call_ids as known
                    on known.call_id = json_extract(parts.payload, '$.tool_call_id')
                where parts.type = 'tool_call' and json_type(parts.payload, '$.arguments.input') = 'text'
                    and (select count(*) from json_each(parts.payload, '$.arguments')) = 1
                union
                select including.call_id, including.name, messages.hash
                from including join messages on messages.parent_hash = including.hash
            )
            insert into gpt_oss_custom_calls
            select thread_id, including.call_id, including.name
            from including join turns on turns.tip_message_hash = including.hash where thread_id is not null
            union select threads.id, including.call_id, including.name
            from including join threads on threads.tip_message_hash = including.hash
            """,
            "drop table gpt_oss_custom_call_ids",
            "create index gpt_oss_custom_calls_id on gpt_oss_custom_calls (call_id)",
        ),
    ),
)


def migrate(connection: sqlite3.Connection) -> None:
    "Applies the missing migrations. Must run in a transaction that holds the write lock."
    connection.execute("create table if not exists gpt_oss_migrations (name text primary key)")
    applied = {name for (name,) in connection.execute("select name from gpt_oss_migrations")}
    for name, statements in MIGRATIONS:
        if name not in applied:
            for statement in statements:
                connection.execute(statement)
            connection.execute("insert into gpt_oss_migrations values (?)", [name])


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
) -> None:
    """Writes our rows of a turn, or replaces them.

    The thread's earlier turns hold the first `covered` messages of the prompt. `instructions` and
    `visible_tip` are the columns of that name.
    """
    request = turn.request.shorten(len(turn.prompt) - covered)
    body, shared_fields = split_shared_fields(request.content)
    row: dict[str, Any] = {
        "turn_id": turn.id,
        "endpoint": request.endpoint,
        "actor": request.actor,
        "client": request.client,
        "status": request.status,
        "error": request.error,
        "finish_reason": request.finish_reason,
        "stored": request.stored,
        "metadata": json.dumps(request.metadata, ensure_ascii=False) if request.metadata else None,
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
        "ignored": json.dumps(request.ignored, ensure_ascii=False) if request.ignored else None,
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
        set_metadata(connection, turn.id, request.metadata or {})


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


CUSTOM_CALLS = """
select call_id, name from gpt_oss_custom_calls
where thread_id = ? and call_id in (select value from json_each(?))
"""
# How many hashes or calls are looked for at first.
FIRST_LOOKUP = 16
# A deleted conversation is never continued: new turns would be deleted with it.
DELETED = "select 1 from gpt_oss_conversations where thread_id = {} and deleted"
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
    message at which that thread ends now.
    """

    matched: int
    thread_id: str
    tip: str
    thread_tip: str


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
