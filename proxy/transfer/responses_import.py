"""Reads a turn in the format of the Responses API: a response, and the items that it answers.

A response of this project keeps its id. The response of another server gets an id that is computed from its
own, so that a second import finds it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from hashlib import blake2b
from typing import Any

from pydantic import TypeAdapter
from ulid import ULID

from ..api.responses.request import ResponsesRequest
from ..http.disconnect import CLIENT_LEFT
from ..items.messages import to_messages
from ..items.wire import AnyItem
from ..log.fingerprint import tool_calls
from ..log.turn import RequestRecord
from .imported_turn import CLIENT, ImportedTurn

ITEMS: TypeAdapter[list[AnyItem]] = TypeAdapter(list[AnyItem])
OWN_ID = re.compile(r"resp_([0-7][0-9a-hjkmnp-tv-z]{25})", re.ASCII)
# The fields of a request that its response repeats.
ECHOED = (
    *("background", "conversation", "frequency_penalty", "instructions", "max_output_tokens"),
    *("max_tool_calls", "metadata", "parallel_tool_calls", "presence_penalty", "previous_response_id"),
    *("prompt_cache_key", "prompt_cache_retention", "reasoning", "safety_identifier", "store", "temperature"),
    *("text", "tool_choice", "tools", "top_logprobs", "top_p", "truncation", "user"),
)
# The statuses of a response, as the HTTP status that the log has for them.
STATUS = {"completed": 200, "incomplete": 200, "failed": 500, "cancelled": CLIENT_LEFT}
# The reasons why an answer is incomplete, as finish reasons.
INCOMPLETE = {"content_filter": "content_filter"}


def response_turn(line: Mapping[str, Any]) -> ImportedTurn:
    """Return the turn of a line.

    Raises ValueError, KeyError, TypeError or ApiError for a line in another format, and for a response that
    is not finished.
    """
    response, items = line["response"], line["input"]
    status = STATUS.get(response["status"])
    if status is None:
        raise ValueError(f"the response is {str(response['status'])[:100]!r}, and not finished")
    body = {name: response[name] for name in ECHOED if response.get(name) is not None}
    body = {"model": response["model"], "input": items, **body}
    generation = ResponsesRequest.model_validate(body).generation_request()
    output = to_messages(ITEMS.validate_python(response["output"]), {}, generation.messages)
    started, duration = _times(response)
    prompt_length = len(generation.messages)
    return ImportedTurn(
        _turn_id(response["id"], started),
        response["model"],
        generation.messages,
        output.messages,
        RequestRecord(
            generation.endpoint,
            json.dumps(body, ensure_ascii=False),
            client=CLIENT,
            stored=generation.store,
            metadata=generation.metadata,
            status=status,
            error=_error(response, status),
            finish_reason=_finish_reason(response, bool(tool_calls(output.messages))),
            model=response["model"],
            added=generation.added,
            sent=[prompt_length - index for index in generation.message_of_entry],
            custom_calls=sorted(generation.custom_calls | output.custom_calls),
        ),
        started,
        duration,
        generation.tools,
        generation.schema,
        generation.options,
        _usage(response.get("usage")),
    )


def _turn_id(response_id: str, started: datetime) -> str:
    if own := OWN_ID.fullmatch(response_id):
        return own[1]
    milliseconds = int(started.timestamp() * 1000)
    digest = blake2b(response_id.encode(), digest_size=10).digest()
    return str(ULID.from_bytes(milliseconds.to_bytes(6, "big") + digest)).lower()


def _times(response: Mapping[str, Any]) -> tuple[datetime, int]:
    "Return when the turn began, and how many milliseconds it took."
    created, completed = response["created_at"], response.get("completed_at")
    started = datetime.fromtimestamp(created if completed is None else min(created, completed), timezone.utc)
    if completed is None:
        return started, 0
    ended = datetime.fromtimestamp(completed, timezone.utc)
    return started, (ended - started) // timedelta(milliseconds=1)


def _error(response: Mapping[str, Any], status: int) -> str | None:
    match response.get("error"):
        case {"message": str(message)}:
            return message
    return None if status == 200 else "The response was not completed."


def _finish_reason(response: Mapping[str, Any], has_calls: bool) -> str | None:
    match response["status"], response.get("incomplete_details"):
        case "completed", _:
            return "tool_calls" if has_calls else "stop"
        case "incomplete", {"reason": str(reason)}:
            return INCOMPLETE.get(reason, "length")
    return None


def _usage(usage: Mapping[str, Any] | None) -> dict[str, Any]:
    if not usage:
        return {}
    reasoning = (usage.get("output_tokens_details") or {}).get("reasoning_tokens")
    details = {"details": {"reasoning_tokens": int(reasoning)}} if reasoning else {}
    return {"input": int(usage["input_tokens"]), "output": int(usage["output_tokens"]), **details}
