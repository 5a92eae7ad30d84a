"A row for each turn: what was asked and answered, and how it went."

from __future__ import annotations

from .view import PARTS, TEXT, Column, View, number

# How many messages back the prompt of a turn may be. Agents may call tools hundreds of times for one prompt.
PROMPT_DISTANCE = 200

TURNS = """(
    select *, case when json_valid(response_json) then response_json end as response,
        case when json_valid(token_details) then token_details end as details,
        case when json_valid(options_json) then options_json end as options
    from turns
) as turns"""
REQUEST = "left join gpt_oss_requests as request on request.turn_id = turns.id"

# The last message of the user, searched from the end of the prompt towards the beginning.
PROMPT = f"""(
    with recursive history (hash, parent_hash, role, distance) as (
        select hash, parent_hash, role, 0 from messages where hash = turns.parent_message_hash
        union all
        select messages.hash, messages.parent_hash, messages.role, distance + 1
        from history join messages on messages.hash = history.parent_hash
        where history.role <> 'user' and distance < {PROMPT_DISTANCE}
    )
    select group_concat(text, char(10)) from (
        select {TEXT} as text from history join {PARTS} on part.message_hash = history.hash
        where history.role = 'user' and part.type = 'text' order by part.position
    )
)"""
# The messages after the prompt's last one, up to the turn's end.
ANSWER = f"""(
    with recursive answer (hash, distance) as (
        select turns.tip_message_hash, 0 where turns.tip_message_hash is not turns.parent_message_hash
        union all
        select messages.parent_hash, distance + 1 from answer join messages on messages.hash = answer.hash
        where messages.parent_hash is not turns.parent_message_hash
    )
    select group_concat(text, char(10)) from (
        select {TEXT} as text from answer join {PARTS} on part.message_hash = answer.hash
        where part.type = '{{}}' order by answer.distance desc, part.position
    )
)"""
NOTES = """(
    select group_concat(json_extract(note.value, '$.kind'), ', ')
    from json_each(turns.response, '$.outcome.notes') as note where note.type = 'object'
)"""
# The name before the version, such as `curl` of `curl/8.1`.
PRODUCT = """substr(
    request.client, 1, min(instr(request.client || '/', '/'), instr(request.client || ' ', ' ')) - 1
)"""
APP = f"""case when request.turn_id is null then 'shell'
    else coalesce(nullif({PRODUCT}, ''), 'unknown') end"""

GPT_OSS = "json_type(turns.response, '$.outcome') is not null"


INPUT_TOKENS, OUTPUT_TOKENS = number("turns.input_tokens"), number("turns.output_tokens")


def _detail(name: str) -> str:
    return number(f"json_extract(turns.details, '$.{name}')")


COLUMNS = (
    Column("turn_id", "turns.id", "the turn; later turns have greater ids"),
    Column("thread_id", "turns.thread_id", "its thread"),
    Column("thread_name", "threads.name", "the name of the thread"),
    Column("datetime_utc", "turns.datetime_utc", "when it began"),
    Column("gpt_oss", GPT_OSS, "1 for turns of this plugin's models, 0 for those of other plugins"),
    Column(
        "benchmark",
        "coalesce(json_type(turns.response, '$.benchmark') not in ('false', 'null'), 0)",
        "1 for turns of `llm gpt-oss bench`: `benchmark` in `response_json`",
    ),
    Column(
        "app",
        APP,
        "the program: the name in its `User-Agent`, or `unknown`; `shell` for turns that `llm` itself logged",
    ),
    Column("client", "request.client", "the whole `User-Agent`; null for `shell`"),
    Column("actor", "request.actor", "the key that was used; null without keys and for `shell`"),
    Column("endpoint", "request.endpoint", "the path of the request; null for `shell`"),
    Column("model", "turns.model", "the model"),
    Column(
        "engine",
        "cast(json_extract(turns.response, '$.engine') as text)",
        "the engine that the model ran on; null for requests that went to Ollama as they were",
    ),
    Column(
        "effort",
        "coalesce(cast(json_extract(turns.options, '$.reasoning_effort') as text), "
        f"case when {GPT_OSS} then 'medium' end)",
        "the reasoning effort",
    ),
    Column("status", "request.status", "the HTTP status that the app got; null for `shell`"),
    Column(
        "error",
        "coalesce(request.error, json_extract(turns.response, '$.error'))",
        "why the turn failed; null if it did not",
    ),
    Column(
        "finish_reason",
        "coalesce(request.finish_reason, json_extract(turns.response, '$.outcome.finish_reason'))",
        "`stop`, `length` or `tool_calls`; null if the turn broke off",
    ),
    Column("notes", NOTES, "the kinds of its [notes](#notes), such as `renamed, repaired`; null without any"),
    Column("deleted", "coalesce(request.deleted, 0)", "1 if it was deleted through the API, which hides it"),
    Column("input_tokens", INPUT_TOKENS, "tokens of the whole prompt"),
    Column("cached_tokens", _detail("cached_tokens"), "how many of these the engine had cached, if known"),
    Column("output_tokens", OUTPUT_TOKENS, "all tokens that were generated"),
    Column("reasoning_tokens", _detail("reasoning_tokens"), "how many of these are reasoning"),
    Column(
        "answer_tokens",
        f"{OUTPUT_TOKENS} - {_detail('reasoning_tokens')}",
        "the others: the answer, tool calls, and markers",
    ),
    Column("queue_ms", "request.queue_ms", "how long the request waited in the queue; null for `shell`"),
    Column(
        "first_token_ms",
        f"coalesce(request.first_token_ms, {_detail('time_to_first_token_ms')})",
        "from the request to the first token, with the wait in the queue",
    ),
    Column("load_ms", _detail("load_ms"), "how long the engine loaded the model"),
    Column("prompt_ms", _detail("prompt_ms"), "how long the engine read the prompt"),
    Column("completion_ms", _detail("completion_ms"), "how long the engine generated"),
    Column("tokens_per_second", _detail("tokens_per_second"), "how fast it generated"),
    Column("duration_ms", "turns.duration_ms", "how long the turn took, without `queue_ms`"),
    Column(
        "prompt",
        PROMPT,
        f"the last text of the user; null if more than {PROMPT_DISTANCE} messages follow it",
    ),
    Column("reasoning", ANSWER.format("reasoning"), "the reasoning; null without any"),
    Column("answer", ANSWER.format("text"), "the text of the answer; null without any"),
)

VIEW = View(
    "gpt_oss_turns",
    "A row for each turn: what was asked and answered, and how it went",
    COLUMNS,
    f"{TURNS} left join threads on threads.id = turns.thread_id {REQUEST}",
)
