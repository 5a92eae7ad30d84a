"""A row for each part of the messages that a turn added: its new input, and its answer.

The input begins after the last message with which an earlier turn ended. Each turn walks only over its own
messages, so a long thread takes linear time. A join with a recursive query over all turns would walk over all
of them for one. `cross join` keeps the order of the tables.
"""

from __future__ import annotations

from .view import PARTS, TEXT, Column, View

STEPS = """
    with recursive chain (hash, is_answer, distance) as (
        select turns.tip_message_hash, turns.tip_message_hash is not turns.parent_message_hash, 0
        union all
        select messages.parent_hash,
            chain.is_answer and messages.parent_hash is not turns.parent_message_hash, distance + 1
        from chain join messages on messages.hash = chain.hash
        where messages.parent_hash is not null and (
            chain.is_answer and messages.parent_hash is not turns.parent_message_hash
            or not exists (
                select 1 from turns as earlier
                where earlier.tip_message_hash = messages.parent_hash and earlier.id < turns.id
                    and earlier.tip_message_hash is not earlier.parent_message_hash
            )
        )
    )
    select json_group_array(json_array(id, is_answer)) from (
        select parts.id, chain.is_answer from chain join parts on parts.message_hash = chain.hash
        order by chain.distance desc, parts.position
    )
"""
COLUMNS = (
    Column("turn_id", "turns.id", "the turn that added it"),
    Column("thread_id", "turns.thread_id", "the thread of the turn"),
    Column("position", "step.key", "its number in the turn, from 0"),
    Column("is_answer", "json_extract(step.value, '$[1]')", "1 for the turn's answer, 0 for its input"),
    Column("role", "messages.role", "`system`, `user`, `assistant` or `tool`"),
    Column("type", "part.type", "`text`, `reasoning`, `tool_call`, `tool_result` or `attachment`"),
    Column("text", TEXT, "the text of a `text` or `reasoning`"),
    Column("tool_name", "part.tool_name", "the tool of a `tool_call` or `tool_result`"),
    Column("call_id", "json_extract(part.json, '$.tool_call_id')", "the same for a call and its result"),
    Column("arguments", "json_extract(part.json, '$.arguments')", "the arguments of a `tool_call`, as JSON"),
    Column("output", "json_extract(part.json, '$.output')", "the output of a `tool_result`"),
    Column(
        "characters",
        f"length(coalesce({TEXT}, json_extract(part.json, '$.arguments'), "
        "json_extract(part.json, '$.output')))",
        "the length of its text, arguments or output",
    ),
    Column("message_hash", "part.message_hash", "the message, as in `messages.hash`"),
    Column("part_id", "part.id", "the part, as in `parts.id`"),
)

VIEW = View(
    "gpt_oss_messages",
    "A row for each part of the messages that a turn added: its new input, and its answer",
    COLUMNS,
    f"turns cross join json_each(({STEPS})) as step "
    f"cross join {PARTS} on part.id = json_extract(step.value, '$[0]') "
    "cross join messages on messages.hash = part.message_hash",
)
