"A row for each tool call, with its result."

from __future__ import annotations

from .view import PARTS, Column, View

# The output of a call, in the message of the call, as some providers have it, or in one of the messages of
# tools that follow.
OUTPUT = f"""(
    with recursive following (hash) as (
        select call.message_hash
        union all
        select messages.hash from following join messages on messages.parent_hash = following.hash
        where messages.role = 'tool'
    )
    select json_extract(part.json, '$.output')
    from following cross join {PARTS} on part.message_hash = following.hash
    where +part.type = 'tool_result' and json_extract(part.json, '$.tool_call_id') = call.call_id
    limit 1
)"""
COLUMNS = (
    Column("turn_id", "call.turn_id", "the turn that added the call"),
    Column("thread_id", "call.thread_id", "the thread of the turn"),
    Column("position", "call.position", "as in `gpt_oss_messages`"),
    Column("call_id", "call.call_id", "the id of the call"),
    Column("tool_name", "call.tool_name", "the tool"),
    Column("arguments", "call.arguments", "its arguments, as JSON"),
    Column("output", OUTPUT, "the output of the tool; null if there is no result"),
)

VIEW = View(
    "gpt_oss_tool_calls",
    "A row for each tool call, with its result",
    COLUMNS,
    "gpt_oss_messages as call where call.type = 'tool_call'",
)
