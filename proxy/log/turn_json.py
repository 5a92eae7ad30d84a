"""A turn as JSON, while it is not in the database."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, TypeVar

from llm_gpt_oss.log.response_json import response_fields, to_bytes, to_response

from ..generation import CustomCall, ThreadPosition
from . import stored_body
from .turn import RequestRecord, Turn

Fields = TypeVar("Fields", CustomCall, ThreadPosition)


def to_json(turn: Turn) -> bytes:
    "Return the turn as JSON, with everything that `from_json` needs."
    return to_bytes({"request": _request_fields(turn.request), **response_fields(turn.response)})


def from_json(text: str | bytes) -> Turn:
    "Return the turn. Raises ValueError, KeyError or TypeError for text that `to_json` did not write."
    return from_fields(json.loads(text))


def from_fields(data: Mapping[str, Any]) -> Turn:
    "Like `from_json`, for the value of the JSON."
    return Turn(to_response(data), _request_record(data["request"]))


def _request_fields(request: RequestRecord) -> dict[str, Any]:
    values = {field.name: getattr(request, field.name) for field in fields(RequestRecord)}
    del values["parsed"]
    return {**values, "body": _body_text(request)}


def _body_text(request: RequestRecord) -> str:
    if request.body:
        return stored_body.redacted_text(request.body)
    return stored_body.to_text(request.content)


def _request_record(data: Mapping[str, Any]) -> RequestRecord:
    """The record in a file that any version of this package wrote.

    What this version does not know is left out, and what the file lacks has its default.
    """
    known = {field.name for field in fields(RequestRecord)}
    calls = [_read_tuple(CustomCall, call) for call in data.get("custom_calls") or []]
    return RequestRecord(
        **{
            **{name: value for name, value in data.items() if name in known},
            "continues": _read_tuple(ThreadPosition, data.get("continues")),
            "custom_calls": [call for call in calls if call],
        }
    )


def _read_tuple(cls: type[Fields], values: object) -> Fields | None:
    "The tuple with as many of these values as it has fields. None if it needs more: new fields come last."
    required = len(cls._fields) - len(cls._field_defaults)
    if not isinstance(values, list) or len(values) < required:
        return None
    return cls(*values[: len(cls._fields)])
