"""Converts a response to JSON and back, to store it until it is in the log."""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping
from typing import Any

import llm
from pydantic_core import PydanticSerializationError
from pydantic_core import to_json as dump_json

from ..llm_internals import set_times


def response_fields(response: llm.Response) -> dict[str, Any]:
    """Return the response as a dictionary of JSON values, which `to_response` reads.

    llm's own `to_dict` has only what a later prompt needs. The log needs more.
    """
    return {
        "response": response.to_dict(),
        "stream": response.stream,
        "resolved_model": response.resolved_model,
        "duration_ms": response.duration_ms(),
        "response_json": response.response_json,
        "schema": response.prompt.schema,
        "tools": [
            {
                "name": tool.name,
                "description": tool.description,
                "input_schema": tool.input_schema,
                "plugin": tool.plugin,
            }
            for tool in response.prompt.tools
            if isinstance(tool, llm.Tool)
        ],
    }


def to_response(data: Mapping[str, Any]) -> llm.Response:
    "Return the response. Raises KeyError, TypeError or ValueError for data that is not of `response_fields`."
    from .past_model import PastModel  # building its options takes long, and few turns wait for the log

    saved = data["response"]
    response = llm.Response.from_dict(saved, model=PastModel(saved["model"]))
    response.prompt.schema = data["schema"]
    response.prompt.tools = [llm.Tool(**tool) for tool in data["tools"]]
    response.stream = data["stream"]
    response.resolved_model = data["resolved_model"]
    response.response_json = data["response_json"]
    # Half a millisecond more, because llm rounds down: 29 would become 28.
    seconds = (data["duration_ms"] + 0.5) / 1000
    set_times(response, datetime.datetime.fromisoformat(saved["datetime_utc"]), seconds)
    return response


def to_bytes(data: Mapping[str, Any]) -> bytes:
    "The dictionary as JSON text."
    try:
        return dump_json(data)
    except PydanticSerializationError:  # a model may write half of a surrogate pair
        return json.dumps(data).encode()
