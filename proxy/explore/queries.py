"""Ready queries about the log: SQL on the views, for Datasette and other programs.

Most take the parameters `days` and `turns`, as numbers or as text; empty means the default. They read the
turns of the last `days`, but at most the last `turns`, so that they take the same time in a log of any size.
Ids of turns are in the order of time and have an index. Times have none.
"""

from __future__ import annotations

from textwrap import dedent
from typing import NamedTuple

DEFAULT_DAYS = 30
DEFAULT_TURNS = 10_000


class ReadyQuery(NamedTuple):
    "`title` and `description` are for people. `name` is the query's address."

    name: str
    title: str
    description: str
    sql: str

    @property
    def takes_a_window(self) -> bool:
        "Whether it has the parameters `days` and `turns`."
        return ":days" in self.sql


def _number(parameter: str, default: int) -> str:
    return f"cast(coalesce(nullif(:{parameter}, ''), {default}) as integer)"


RECENT = f"""\
with recursive latest as (
  select turn_id, datetime_utc, {{columns}}
  from gpt_oss_turns
  order by turn_id desc
  limit {_number("turns", DEFAULT_TURNS)}
),
recent as (
  select * from latest
  where datetime_utc >= strftime(
    '%Y-%m-%dT%H:%M:%S', 'now', '-' || {_number("days", DEFAULT_DAYS)} || ' days'
  )
)"""


def _recent(columns: str, rest: str) -> str:
    "Return a query whose `rest` uses the table `recent`, with these columns of `gpt_oss_turns`."
    rest = dedent(rest).strip()
    separator = "\n" if rest.startswith("select") else ",\n"
    return RECENT.format(columns=columns) + separator + rest


# A column of a query on `found`, which must have few rows: finding the prompt of a turn takes time.
PROMPT = "(select substr(prompt, 1, 200) from gpt_oss_turns where turn_id = found.turn_id) as prompt"

# The messages of each prompt in `longest`, from the last to the first. Reasoning before the last message of
# the user is not in the prompt: harmony leaves it out.
CHAIN = """
chain (turn_id, hash, parent_hash, role, is_last, distance) as (
  select longest.turn_id, hash, messages.parent_hash, role, role <> 'user', 0
  from longest
  join turns on turns.id = longest.turn_id
  join messages on messages.hash = turns.parent_message_hash
  union all
  select turn_id, messages.hash, messages.parent_hash, messages.role,
    is_last and messages.role <> 'user', distance + 1
  from chain join messages on messages.hash = chain.parent_hash
  where distance < 2000
),
contents as (
  select turn_id, length(coalesce(text, payload, '')) as characters, case
      when role = 'system' then 'instructions'
      when role = 'user' then 'user'
      when role = 'tool' or type = 'tool_result' then 'tool results'
      when type = 'tool_call' then 'tool calls'
      when type = 'reasoning' then 'reasoning'
      else 'answers'
    end as kind
  from chain cross join parts on parts.message_hash = chain.hash
  where type <> 'reasoning' or is_last
  union all
  select longest.turn_id, length(value), 'tools'
  from longest
  join gpt_oss_request_fields as fields on fields.turn_id = longest.turn_id and name = 'tools'
  join gpt_oss_field_values on gpt_oss_field_values.id = value_id
),
totals as (
  select turn_id, sum(characters) as characters from contents group by turn_id
)
"""

QUERIES = (
    ReadyQuery(
        "latest",
        "Latest turns",
        "The last 50 turns: who asked what, and how it went.",
        dedent("""\
        select turn_id, datetime_utc, app, actor, model, effort, status, finish_reason, notes,
          input_tokens, output_tokens, first_token_ms, tokens_per_second, duration_ms,
          substr(prompt, 1, 200) as prompt, substr(answer, 1, 200) as answer
        from gpt_oss_turns
        order by turn_id desc
        limit 50"""),
    ),
    ReadyQuery(
        "apps",
        "By app and key",
        "How much each app used the models, with which key, and how often its requests failed.",
        _recent(
            "app, actor, error, input_tokens, output_tokens, duration_ms",
            """
            select app, actor, count(*) as turns, sum(error is not null) as failed,
              sum(input_tokens) as input_tokens, sum(output_tokens) as output_tokens,
              cast(avg(duration_ms) as integer) as average_ms, max(datetime_utc) as last_utc
            from recent
            group by app, actor
            order by turns desc, app, actor
            limit 100
            """,
        ),
    ),
    ReadyQuery(
        "tokens",
        "Tokens a day",
        "Tokens that were read and generated each day, by model and effort.",
        _recent(
            "model, effort, input_tokens, output_tokens, reasoning_tokens",
            """
            select date(datetime_utc) as day, model, effort, count(*) as turns,
              sum(input_tokens) as input_tokens, sum(output_tokens) as output_tokens,
              sum(reasoning_tokens) as reasoning_tokens,
              model || coalesce(', ' || effort, '') as series
            from recent
            group by day, model, effort
            order by day desc, output_tokens desc
            limit 1000
            """,
        ),
    ),
    ReadyQuery(
        "speed",
        "Speed over time",
        "Tokens a second, and the time to the first token, of the last 500 turns. The time to the first "
        "token includes the wait in the queue, and loading the model.",
        _recent(
            "model, effort, tokens_per_second, first_token_ms, input_tokens",
            """
            select turn_id, datetime_utc, model, effort, tokens_per_second, first_token_ms, input_tokens
            from recent
            where tokens_per_second is not null or first_token_ms is not null
            order by turn_id desc
            limit 500
            """,
        ),
    ),
    ReadyQuery(
        "effort",
        "Speed by effort",
        "Medians by model and effort: half of the turns were faster. One turn in twenty took longer than the "
        "times in the columns that begin with slow_.",
        _recent(
            "model, effort, tokens_per_second, first_token_ms, duration_ms, output_tokens",
            """
            ranked as (
              select *,
                cume_dist() over (partition by model, effort order by tokens_per_second) as speed_rank,
                cume_dist() over (partition by model, effort order by first_token_ms) as wait_rank,
                cume_dist() over (partition by model, effort order by duration_ms) as duration_rank
              from recent
              where tokens_per_second is not null
            )
            select model, effort, count(*) as turns, cast(avg(output_tokens) as integer) as output_tokens,
              round(min(case when speed_rank >= 0.5 then tokens_per_second end), 1) as tokens_per_second,
              min(case when wait_rank >= 0.5 then first_token_ms end) as first_token_ms,
              min(case when wait_rank >= 0.95 then first_token_ms end) as slow_first_token_ms,
              min(case when duration_rank >= 0.5 then duration_ms end) as duration_ms,
              min(case when duration_rank >= 0.95 then duration_ms end) as slow_duration_ms
            from ranked
            group by model, effort
            order by turns desc, model, effort
            limit 100
            """,
        ),
    ),
    ReadyQuery(
        "problems",
        "Failures, repairs and truncations",
        "How often a turn failed, or left a note that something was repaired, repeated or cut, by day. A "
        "turn can count several times.",
        _recent(
            "error, notes",
            """
            problems as (
              select turn_id, datetime_utc, 'failed' as problem from recent where error is not null
              union all
              select turn_id, datetime_utc, note.value
              from recent, json_each('["' || replace(notes, ', ', '","') || '"]') as note
            )
            select date(datetime_utc) as day, problem, count(*) as turns, max(turn_id) as last_turn_id
            from problems
            group by day, problem
            order by day desc, turns desc, problem
            limit 1000
            """,
        ),
    ),
    ReadyQuery(
        "failures",
        "Latest failures and repairs",
        "The last 100 turns that failed or left a note, with the reason.",
        _recent(
            "app, model, status, error, finish_reason, notes",
            f"""
            found as (
              select * from recent
              where error is not null or notes is not null
              order by turn_id desc
              limit 100
            )
            select turn_id, datetime_utc, app, {PROMPT}, model, status, error, finish_reason, notes
            from found
            order by turn_id desc
            """,
        ),
    ),
    ReadyQuery(
        "slowest",
        "Slowest turns",
        "The 50 turns that took longest after the queue, and where the time went. The wait in the queue is "
        "in queue_ms. It does not count, since other turns cause it.",
        _recent(
            "app, model, effort, duration_ms, queue_ms, load_ms, prompt_ms, completion_ms, input_tokens, "
            "output_tokens",
            f"""
            found as (select * from recent order by duration_ms desc limit 50)
            select turn_id, datetime_utc, app, {PROMPT}, model, effort, duration_ms, queue_ms, load_ms,
              prompt_ms, completion_ms, input_tokens, output_tokens
            from found
            order by duration_ms desc
            """,
        ),
    ),
    ReadyQuery(
        "contexts",
        "Longest contexts",
        "What fills the longest prompts: the longest one of each of 10 threads. The tokens of each part are "
        "estimated from its characters.",
        _recent(
            "thread_id, app, input_tokens",
            "longest as (\n"
            "  select turn_id, app, max(input_tokens) as input_tokens from recent\n"
            "  group by thread_id\n"
            "  order by max(input_tokens) desc\n"
            "  limit 10\n"
            f"),{CHAIN}"
            "select turn_id, app, input_tokens, kind, sum(contents.characters) as characters,\n"
            "  cast(round(1.0 * input_tokens * sum(contents.characters) / totals.characters) as integer)\n"
            "    as estimated_tokens\n"
            "from longest join totals using (turn_id) join contents using (turn_id)\n"
            "group by turn_id, kind\n"
            "having sum(contents.characters) > 0\n"
            "order by input_tokens desc, turn_id, estimated_tokens desc",
        ),
    ),
    ReadyQuery(
        "cache",
        "Cache reuse",
        "How much of the prompts the engine had in its cache, by day and app. Engines that do not report "
        "this are left out.",
        _recent(
            "app, input_tokens, cached_tokens, prompt_ms",
            """
            select date(datetime_utc) as day, app, count(*) as turns, sum(input_tokens) as input_tokens,
              sum(cached_tokens) as cached_tokens,
              round(100.0 * sum(cached_tokens) / nullif(sum(input_tokens), 0), 1) as cached_percent,
              cast(avg(prompt_ms) as integer) as prompt_ms
            from recent
            where cached_tokens is not null
            group by day, app
            order by day desc, turns desc, app
            limit 1000
            """,
        ),
    ),
    ReadyQuery(
        "tools",
        "Turns that used a tool",
        "Which tools the last 50 turns with tool calls called, with their arguments and results.",
        _recent(
            "app, finish_reason",
            """
            callers as (
              select turn_id, datetime_utc, app from recent
              where finish_reason = 'tool_calls'
              order by turn_id desc
              limit 50
            )
            select callers.turn_id, datetime_utc, app, tool_name, substr(arguments, 1, 300) as arguments,
              substr(output, 1, 300) as output
            from callers cross join gpt_oss_tool_calls as call on call.turn_id = callers.turn_id
            order by callers.turn_id desc, position
            limit 200
            """,
        ),
    ),
    ReadyQuery(
        "unanswered",
        "Empty and cut answers",
        "The last 100 turns that ended without a text or a call, or whose answer was cut by a limit.",
        _recent(
            "app, model, finish_reason, notes, output_tokens, answer_tokens",
            f"""
            found as (
              select * from recent
              where finish_reason = 'length' or (
                finish_reason = 'stop' and coalesce(answer_tokens, output_tokens) < 16
                and (select answer from gpt_oss_turns where turn_id = recent.turn_id) is null
              )
              order by turn_id desc
              limit 100
            )
            select turn_id, datetime_utc, app, {PROMPT}, model, finish_reason, notes, output_tokens,
              case when finish_reason = 'length' then 'cut' else 'empty' end as problem
            from found
            order by turn_id desc
            """,
        ),
    ),
)
