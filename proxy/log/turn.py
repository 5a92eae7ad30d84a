"""A turn as it goes into the log, and as JSON for the time that it cannot."""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import llm
from llm.parts import Message
from pydantic import ConfigDict

from llm_gpt_oss.llm_internals import set_times

from ..generation import ThreadPosition

# Values of these keys in a body are not kept, wherever they stand.
SECRETS = ("authorization", "api_key", "api-key", "x-api-key")
KEPT_SECRET = "…"
# How a turn stands whose process was gone before its answer was whole.
UNFINISHED = 500


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """What is kept of a request beside its turn. `body` is JSON (`turn.strict_json`), as it was sent.

    `actor` is who asked (the name of a key), `client` is its User-Agent. `first_token_ms` counts from when
    the request was taken up, `queue_ms` is how long it waited for a place. What was repaired or asked again
    is in the turn's own `response_json`, under `outcome.notes`.

    `answer_id` is the first turn of the answer, where a client wanted several choices: None, if it is
    this one. `idempotency_key` is what the client sends again when it asks the same again. `added`,
    `known`, `continues` and `custom_calls` are the Ask's own. `sent` tells for each entry of the body's
    list of messages or items how far from the prompt's end the message is that it became. `pieces` are
    the lengths of the answer's deltas, part by part.
    """

    endpoint: str
    body: str
    actor: str | None = None
    client: str | None = None
    stored: bool = False
    metadata: Mapping[str, str] | None = None
    status: int = UNFINISHED
    error: str | None = "The server was gone before the answer was whole."
    finish_reason: str | None = None
    queue_ms: int | None = None
    first_token_ms: int | None = None
    model: str | None = None
    answer_id: str | None = None
    idempotency_key: str | None = None
    added: int = 0
    known: int = 0
    continues: ThreadPosition | None = None
    sent: Sequence[int] = field(default_factory=list)
    custom_calls: Sequence[str] = field(default_factory=list)
    pieces: Sequence[Sequence[int]] | None = None


@dataclass(frozen=True, slots=True)
class Turn:
    "`response` is done, or as far as it came."

    response: llm.Response
    request: RequestRecord

    @property
    def id(self) -> str:
        return self.response.id

    @property
    def prompt(self) -> list[Message]:
        return list(self.response.prompt.messages)

    @property
    def answer(self) -> list[Message]:
        return [message for message in self.response.messages() if message.parts]


def without_secrets(body: str) -> Any:
    "The body less its secrets."
    value = json.loads(body)
    return _without_secrets(value) if _may_hold_secrets(body) else value


def _may_hold_secrets(body: str) -> bool:
    "A long conversation is not walked through for nothing. A key may be spelled with escapes."
    lowered = body.lower()
    return "\\u" in lowered or any(secret in lowered for secret in SECRETS)


def _without_secrets(value: Any) -> Any:
    match value:
        case dict():
            return {
                key: KEPT_SECRET
                if key.lower() in SECRETS and isinstance(held, str)
                else _without_secrets(held)
                for key, held in value.items()
            }
        case list():
            return [_without_secrets(item) for item in value]
    return value


def to_json(turn: Turn) -> str:
    "All that `from_json` needs: llm's own `to_dict` is enough to go on from a turn, not to log it."
    response = turn.response
    request = {field.name: getattr(turn.request, field.name) for field in fields(RequestRecord)}
    if _may_hold_secrets(turn.request.body):
        request["body"] = json.dumps(without_secrets(turn.request.body), ensure_ascii=False)
    return json.dumps(
        {
            "request": request,
            "response": response.to_dict(),
            "stream": response.stream,
            "resolved_model": response.resolved_model,
            "duration_ms": response.duration_ms(),
            "response_json": response.response_json,
            "schema": response.prompt.schema,
            "tools": [
                {"name": tool.name, "description": tool.description, "input_schema": tool.input_schema}
                for tool in response.prompt.tools
                if isinstance(tool, llm.Tool)
            ],
        }
    )


def from_json(text: str) -> Turn:
    "Raises ValueError, KeyError or TypeError for what `to_json` did not write."
    data = json.loads(text)
    said = data["response"]
    response = llm.Response.from_dict(said, model=_Past(said["model"]))
    response.prompt.schema = data["schema"]
    response.prompt.tools = [llm.Tool(**tool) for tool in data["tools"]]
    response.stream = data["stream"]
    response.resolved_model = data["resolved_model"]
    response.response_json = data["response_json"]
    # Half a millisecond more, or llm would cut 29 of them to 28.
    seconds = (data["duration_ms"] + 0.5) / 1000
    set_times(response, datetime.datetime.fromisoformat(said["datetime_utc"]), seconds)
    return Turn(response, _request(data["request"]))


def _request(data: dict[str, Any]) -> RequestRecord:
    place = data["continues"]
    return RequestRecord(**{**data, "continues": ThreadPosition(*place) if place else None})


class _AnyOptions(llm.Options):
    model_config = ConfigDict(extra="allow")


class _Past(llm.Model):
    "The model of a turn that is over: whatever it was, it answers no more."

    Options = _AnyOptions  # type: ignore[assignment]
    supports_schema = True
    supports_tools = True

    def __init__(self, model_id: str) -> None:
        self.model_id = model_id

    def execute(self, *_: Any) -> Any:
        raise NotImplementedError
