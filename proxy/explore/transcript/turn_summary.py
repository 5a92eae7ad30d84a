"Reads what the log has about turns besides their messages: how they ended, their notes and numbers."

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from condense_json import UncondenseError
from llm.logs import LogStore

from ...log.foreign_json import as_text, number, object_or_empty, read_object, read_value
from ...log.queries import resolved_response_json
from ...log.turn import Turn

# Only the needed parts of `response_json`, which can be large: it may have log probabilities of each token.
SUMMARIES = """
select turns.id, turns.thread_id, turns.model, turns.options_json, turns.input_tokens, turns.output_tokens,
    turns.token_details, turns.duration_ms, turns.datetime_utc,
    json_extract(turns.response, '$.outcome') as outcome,
    json_extract(turns.response, '$.error') as raw_error,
    json_extract(turns.response, '$.completions') as completions,
    json_extract(turns.response, '$.engine') as engine, schemas.content as schema,
    request.endpoint, request.model as requested_model, request.actor, request.client, request.status,
    request.error, request.finish_reason, request.stored, request.queue_ms, request.first_token_ms,
    request.answer_id, request.ignored, coalesce(request.deleted, 0) as deleted
from json_each(?) as wanted
join (
    select *, case when json_valid(response_json) then response_json end as response from turns
) as turns on turns.id = wanted.value
left join gpt_oss_requests as request on request.turn_id = turns.id
left join schemas on schemas.id = turns.schema_id
"""
TOOLS = """
select turn_tools.turn_id, tools.name, tools.description, tools.input_schema
from json_each(?) as wanted
join turn_tools on turn_tools.turn_id = wanted.value
join tools on tools.id = turn_tools.tool_id
order by turn_tools.rowid
"""
OK = 200
# Notes about the prompt, and about single calls. All others are about the answer as a whole.
PROMPT_NOTES = {"truncated", "attachment_dropped", "reasoning_dropped", "call_missing", "busy"}
CALL_NOTES = {"repaired", "asked_again", "renamed", "unbound", "call_dropped"}


@dataclass(frozen=True, slots=True)
class Tool:
    name: str
    description: str | None
    parameters: Any


@dataclass(frozen=True, slots=True)
class LoggedNote:
    "A note in the log. A later version may have written it, so any `kind` is possible."

    kind: str
    text: str
    raw: str | None = None


@dataclass(frozen=True, slots=True)
class TurnSummary:
    """What the log has about one turn.

    `app` is the User-Agent, `key` the name of the key. `status` and `endpoint` are None for a turn that did
    not come through the server. Times are in milliseconds. A number is None if the log does not have it.
    """

    id: str
    thread_id: str | None
    model: str
    engine: str | None
    started: datetime | None
    endpoint: str | None
    app: str | None
    key: str | None
    status: int | None
    error: str | None
    finish_reason: str | None
    notes: Sequence[LoggedNote]
    effort: str | None
    options: Mapping[str, Any]
    queue_ms: int | None
    first_token_ms: int | None
    duration_ms: int | None
    tokens_per_second: float | None
    prompt_tokens: int | None
    cached_tokens: int | None
    reasoning_tokens: int | None
    output_tokens: int | None
    completions: int | None
    answer_id: str | None
    ignored: Sequence[str]
    schema: Any
    tools: Sequence[Tool]
    is_deleted: bool = False
    in_progress: bool = False

    @property
    def failed(self) -> bool:
        return bool(self.error) or (self.status is not None and self.status != OK)

    @property
    def was_cut(self) -> bool:
        return self.finish_reason == "length"

    @property
    def answer_tokens(self) -> int | None:
        "The generated tokens without reasoning: the answer, tool calls and their headers."
        if self.output_tokens is None:
            return None
        return max(0, self.output_tokens - (self.reasoning_tokens or 0))

    def notes_of(self, place: str) -> list[LoggedNote]:
        "Return the notes about the `prompt`, about a `call`, or about the `answer`."
        return [note for note in self.notes if _place(note.kind) == place]


def load_summaries(log: LogStore, turn_ids: Sequence[str]) -> dict[str, TurnSummary]:
    "Return the summaries of logged turns by id, without those of turns that the log does not have."
    ids = json.dumps(turn_ids)
    tools: dict[str, list[Tool]] = {}
    for turn_id, name, description, parameters in log.db.conn.execute(TOOLS, [ids]):
        tools.setdefault(turn_id, []).append(Tool(name, description, read_value(parameters)))
    return {
        row["id"]: _from_row({**row, "outcome": _outcome(log, row)}, tools.get(row["id"], []))
        for row in log.db.query(SUMMARIES, [ids])
    }


def summary_of_spooled(turn: Turn, *, in_progress: bool) -> TurnSummary:
    "Return the summary of a turn that is not in the database yet."
    response, request = turn.response, turn.request
    raw = response.response_json or {}
    row = {
        "id": turn.id,
        "thread_id": None,
        "model": response.model.model_id,
        "options_json": json.dumps(response.prompt.options.model_dump(exclude_none=True)),
        "input_tokens": response.input_tokens,
        "output_tokens": response.output_tokens,
        "token_details": json.dumps(response.token_details),
        "duration_ms": None if in_progress else response.duration_ms(),
        "datetime_utc": response.datetime_utc(),
        "outcome": raw.get("outcome"),
        "raw_error": raw.get("error"),
        "completions": raw.get("completions"),
        "engine": raw.get("engine"),
        "schema": json.dumps(response.prompt.schema) if response.prompt.schema else None,
        "requested_model": request.model,
        "endpoint": request.endpoint,
        "actor": request.actor,
        "client": request.client,
        "status": None if in_progress else request.status,
        "error": None if in_progress else request.error,
        "finish_reason": request.finish_reason,
        "queue_ms": request.queue_ms,
        "first_token_ms": request.first_token_ms,
        "answer_id": request.answer_id,
        "ignored": json.dumps([*request.ignored]),
        "deleted": False,
        "in_progress": in_progress,
    }
    offered = [tool for tool in response.prompt.tools if hasattr(tool, "input_schema")]
    return _from_row(row, [Tool(tool.name, tool.description, tool.input_schema) for tool in offered])


def _from_row(row: Mapping[str, Any], tools: Sequence[Tool]) -> TurnSummary:
    details, options = read_object(row["token_details"]), read_object(row["options_json"])
    outcome = object_or_empty(row["outcome"])
    # Turns of other plugins have token details in the format of OpenAI's API.
    prompt_details, output_details = (
        object_or_empty(details.get(name)) for name in ("prompt_tokens_details", "completion_tokens_details")
    )
    first_token_ms = row["first_token_ms"]
    return TurnSummary(
        id=row["id"],
        thread_id=row["thread_id"],
        model=row["requested_model"] or row["model"],
        engine=as_text(row["engine"]),
        started=_time(row["datetime_utc"]),
        endpoint=row["endpoint"],
        app=row["client"],
        key=row["actor"],
        status=row["status"],
        error=as_text(row["error"] or row["raw_error"]),
        finish_reason=as_text(row["finish_reason"] or outcome.get("finish_reason")),
        notes=[*_notes(outcome.get("notes"))],
        effort=as_text(options.get("reasoning_effort")),
        options=options,
        queue_ms=row["queue_ms"],
        first_token_ms=number(
            details.get("time_to_first_token_ms") if first_token_ms is None else first_token_ms
        ),
        duration_ms=number(row["duration_ms"]),
        tokens_per_second=number(details.get("tokens_per_second")),
        prompt_tokens=number(row["input_tokens"]),
        cached_tokens=number(details.get("cached_tokens", prompt_details.get("cached_tokens"))),
        reasoning_tokens=number(details.get("reasoning_tokens", output_details.get("reasoning_tokens"))),
        output_tokens=number(row["output_tokens"]),
        completions=number(row["completions"]),
        answer_id=row["answer_id"],
        ignored=read_value(row["ignored"]) or [],
        schema=read_value(row["schema"]),
        tools=tools,
        is_deleted=bool(row["deleted"]),
        in_progress=row.get("in_progress", False),
    )


def _outcome(log: LogStore, row: Mapping[str, Any]) -> Any:
    "Return the outcome with all texts: llm may store a text that a message repeats as a reference."
    stored = row["outcome"]
    if isinstance(stored, str) and '"$' in stored:
        with suppress(UncondenseError):
            return resolved_response_json(log, row["id"]).get("outcome")
        return None
    return read_value(stored) if isinstance(stored, str) else None


def _notes(notes: Any) -> Iterable[LoggedNote]:
    for note in notes if isinstance(notes, list) else ():
        match note:
            case {"kind": str(kind), "text": str(text)}:
                raw = note.get("raw")
                yield LoggedNote(kind, text, raw if isinstance(raw, str) else None)


def _place(kind: str) -> str:
    return "prompt" if kind in PROMPT_NOTES else "call" if kind in CALL_NOTES else "answer"


def _time(text: str | None) -> datetime | None:
    try:
        return datetime.fromisoformat(text) if text else None
    except ValueError:
        return None
