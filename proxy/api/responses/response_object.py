"""The Response object, whole at every stage of its life.

Keys as in OpenAI's SDK, `types/responses/response.py`, and those that Open Responses requires besides
(https://www.openresponses.org/specification, `ResponseResource`). A key whose value is not known is null.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...generation import TokenUsage
from ...http.errors import ApiError

Json = dict[str, Any]

# What a request says by not saying it, as OpenAI has it. These are told as they were sent.
ECHOED: Json = {
    "background": False,
    "frequency_penalty": 0.0,
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "presence_penalty": 0.0,
    "previous_response_id": None,
    "prompt_cache_key": None,
    "prompt_cache_retention": None,
    "safety_identifier": None,
    "store": True,
    "temperature": 1.0,
    "tool_choice": "auto",
    "top_logprobs": 0,
    "top_p": 1.0,
    "truncation": "disabled",
}

# Of the SDK's codes (`types/responses/response_error.py`), those that fit what can happen here.
RATE_LIMIT, INVALID_PROMPT, SERVER_ERROR = "rate_limit_exceeded", "invalid_prompt", "server_error"
# None of the SDK's, but what Codex looks for before it compacts a conversation.
OVERFLOW = "context_length_exceeded"


def new_response(body: Mapping[str, Any], *, id: str, created_at: int, model: str) -> Json:
    """The response to a request as it begins.

    `body` is the request as it was sent to `/v1/responses`; empty for a turn that came another way.
    """
    sent = {key: value for key, value in body.items() if value is not None}
    return {
        "id": id,
        "object": "response",
        "created_at": created_at,
        "status": "in_progress",
        "completed_at": None,
        "error": None,
        "incomplete_details": None,
        "model": model,
        "output": [],
        "usage": None,
        **{key: sent.get(key, default) for key, default in ECHOED.items()},
        "conversation": _conversation(sent.get("conversation")),
        "prompt": None,
        "reasoning": _reasoning(sent.get("reasoning", {})),
        "service_tier": "default",
        "text": _text(sent.get("text", {})),
        "tools": [_tool(tool) for tool in sent.get("tools", ())],
        # No null, says OpenAI's description of the API.
        **({"user": sent["user"]} if "user" in sent else {}),
    }


def _conversation(sent: str | Json | None) -> Json | None:
    if sent is None:
        return None
    return {"id": sent if isinstance(sent, str) else sent["id"]}


def _reasoning(sent: Json) -> Json:
    return {"effort": sent.get("effort"), "summary": sent.get("summary") or sent.get("generate_summary")}


def _text(sent: Json) -> Json:
    return {
        "format": _format(sent.get("format") or {"type": "text"}),
        "verbosity": sent.get("verbosity") or "medium",
    }


def _format(sent: Json) -> Json:
    if sent["type"] != "json_schema":
        return sent
    return {**sent, "description": sent.get("description"), "strict": sent.get("strict") or False}


def _tool(sent: Json) -> Json:
    "As it was sent, with the keys that the API's types require."
    match sent:
        case {"type": "function"}:
            return {"description": None, "parameters": None, "strict": True, **sent}
        case {"type": "custom"}:
            return {"description": None, "format": {"type": "text"}, **sent}
        case {"type": "namespace", "tools": tools}:
            told = {**sent, "description": sent.get("description") or ""}
            return {**told, "tools": [_tool(tool) for tool in tools]}
    return sent


def as_queued(response: Json) -> Json:
    return {**response, "status": "queued"}


def as_in_progress(response: Json) -> Json:
    return {**response, "status": "in_progress"}


def as_completed(response: Json, output: Sequence[Json], usage: TokenUsage, completed_at: int) -> Json:
    return {
        **response,
        "status": "completed",
        "completed_at": completed_at,
        "output": [*output],
        "usage": usage_json(usage),
    }


def as_incomplete(response: Json, output: Sequence[Json], usage: TokenUsage, reason: str) -> Json:
    "`reason` as in the SDK's `IncompleteDetails`."
    return {
        **response,
        "status": "incomplete",
        "incomplete_details": {"reason": reason},
        "output": [*output],
        "usage": usage_json(usage),
    }


def as_failed(response: Json, output: Sequence[Json], error: ApiError) -> Json:
    "With the output that there was until then."
    told = {"code": _code(error), "message": error.message}
    return {**response, "status": "failed", "error": told, "output": [*output]}


def as_cancelled(response: Json, output: Sequence[Json]) -> Json:
    return {**response, "status": "cancelled", "output": [*output]}


def _code(error: ApiError) -> str:
    if error.status == 429:
        return RATE_LIMIT
    if error.code == OVERFLOW:
        return OVERFLOW
    return INVALID_PROMPT if error.status < 500 else SERVER_ERROR


def usage_json(usage: TokenUsage) -> Json:
    return {
        "input_tokens": usage.prompt_tokens,
        # Ollama does not say what it had in its cache.
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": usage.completion_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
    }
