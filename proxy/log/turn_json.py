"""A turn as JSON, while it is not in the database."""

from __future__ import annotations

import datetime
import json
from dataclasses import fields
from typing import Any

import llm
from pydantic import ConfigDict
from pydantic_core import PydanticSerializationError
from pydantic_core import to_json as dump_json

from llm_gpt_oss.llm_internals import set_times

from ..generation import ThreadPosition
from . import stored_body
from .turn import RequestRecord, Turn


def to_json(turn: Turn) -> bytes:
    """Return the turn as JSON, with everything that `from_json` needs.

    llm's own `to_dict` has only what a later prompt needs, which is not all that the log needs.
    """
    response = turn.response
    data = {
        "request": _request_fields(turn.request),
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
    try:
        return dump_json(data)
    except PydanticSerializationError:  # a model may write half of a surrogate pair
        return json.dumps(data).encode()


def from_json(text: str | bytes) -> Turn:
    "Return the turn. Raises ValueError, KeyError or TypeError for text that `to_json` did not write."
    data = json.loads(text)
    saved = data["response"]
    response = llm.Response.from_dict(saved, model=_PastModel(saved["model"]))
    response.prompt.schema = data["schema"]
    response.prompt.tools = [llm.Tool(**tool) for tool in data["tools"]]
    response.stream = data["stream"]
    response.resolved_model = data["resolved_model"]
    response.response_json = data["response_json"]
    # Half a millisecond more, because llm rounds down: 29 would become 28.
    seconds = (data["duration_ms"] + 0.5) / 1000
    set_times(response, datetime.datetime.fromisoformat(saved["datetime_utc"]), seconds)
    return Turn(response, _request_record(data["request"]))


def _request_fields(request: RequestRecord) -> dict[str, Any]:
    values = {field.name: getattr(request, field.name) for field in fields(RequestRecord)}
    del values["parsed"]
    return {**values, "body": _body_text(request)}


def _body_text(request: RequestRecord) -> str:
    if request.body:
        return stored_body.redacted_text(request.body)
    return stored_body.to_text(request.content)


def _request_record(data: dict[str, Any]) -> RequestRecord:
    continues = data["continues"]
    return RequestRecord(**{**data, "continues": ThreadPosition(*continues) if continues else None})


class _AnyOptions(llm.Options):
    model_config = ConfigDict(extra="allow")


class _PastModel(llm.Model):
    "Stands for the model of a turn that is over."

    Options = _AnyOptions  # type: ignore[assignment]
    supports_schema = True
    supports_tools = True

    def __init__(self, model_id: str) -> None:
        self.model_id = model_id

    def execute(self, *_: Any) -> Any:
        raise NotImplementedError
