"""Creates our own tables in llm's log: what llm has no column for, and what identifies a conversation.

Only the API server writes them (`proxy/log/tables.py`), but every log has them, because our views
(`views/`) read them.
"""

from __future__ import annotations

import sqlite3

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
