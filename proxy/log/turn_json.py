"""A turn as JSON, while it is not in the database."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

from llm_gpt_oss.log.response_json import response_fields, to_bytes, to_response

from ..generation import CustomCall, ThreadPosition
from . import stored_body
from .turn import RequestRecord, Turn


def to_json(turn: Turn) -> bytes:
    "Return the turn as JSON, with everything that `from_json` needs."
    return to_bytes({"request": _request_fields(turn.request), **response_fields(turn.response)})


def from_json(text: str | bytes) -> Turn:
    "Return the turn. Raises ValueError, KeyError or TypeError for text that `to_json` did not write."
    data = json.loads(text)
    return Turn(to_response(data), _request_record(data["request"]))


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
    custom_calls = [CustomCall(*call) for call in data["custom_calls"]]
    return RequestRecord(
        **{
            **data,
            "continues": ThreadPosition(*continues) if continues else None,
            "custom_calls": custom_calls,
        }
    )
