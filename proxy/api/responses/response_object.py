"""The Response object at every stage of its life. It always has all keys; an unknown value is null.

Keys are those of OpenAI's SDK (`types/responses/response.py`) and those that Open Responses requires as well
(https://www.openresponses.org/specification, `ResponseResource`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...generation import TokenUsage
from ...http.body_model import Body
from ...http.errors import ApiError
from ...items.tools import TextFormat
from ..response_formats import DEFAULT_NAME
from .tools import AllowedTools, CustomTool, FunctionTool, GrammarFormat, NamespaceTool, ToolName

Json = dict[str, Any]

# The fields of a request that the response repeats as they are, with OpenAI's defaults.
ECHO_DEFAULTS: Json = {
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
    "top_logprobs": 0,
    "top_p": 1.0,
    "truncation": "disabled",
}

# The types of tools that the response repeats. The model is not offered any others.
CALLABLE = ("function", "custom", "namespace")

# The error codes of the SDK (`types/responses/response_error.py`) that can occur here.
RATE_LIMIT, INVALID_PROMPT, SERVER_ERROR = "rate_limit_exceeded", "invalid_prompt", "server_error"
# Not one of the SDK's, but Codex compacts the conversation when it sees it.
OVERFLOW = "context_length_exceeded"


def new_response(body: Mapping[str, Any], *, id: str, created_at: int, model: str) -> Json:
    """The response before the model has answered.

    `body` is the request to `/v1/responses`, or empty for a turn of another endpoint. It is not changed.
    """
    fields = {key: value for key, value in body.items() if value is not None}
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
        **{key: fields.get(key, default) for key, default in ECHO_DEFAULTS.items()},
        "tool_choice": _tool_choice(fields.get("tool_choice", "auto")),
        "conversation": _conversation(fields.get("conversation")),
        "prompt": None,
        "reasoning": _reasoning(fields.get("reasoning", {})),
        "service_tier": "default",
        "text": _text(fields.get("text", {})),
        "tools": [_tool(tool) for tool in fields.get("tools", ()) if tool["type"] in CALLABLE],
        # OpenAI's API description does not allow null here.
        **({"user": fields["user"]} if "user" in fields else {}),
    }


def _tool_choice(choice: str | Json) -> str | Json:
    if isinstance(choice, str):
        return choice
    return _known(choice, AllowedTools if choice["type"] == "allowed_tools" else ToolName)


def _conversation(conversation: str | Json | None) -> Json | None:
    if conversation is None:
        return None
    return {"id": conversation if isinstance(conversation, str) else conversation["id"]}


def _reasoning(reasoning: Json) -> Json:
    summary = reasoning.get("summary") or reasoning.get("generate_summary")
    return {"effort": reasoning.get("effort") or None, "summary": summary}


def _text(text: Json) -> Json:
    return {
        "format": _format(text.get("format") or {"type": "text"}),
        "verbosity": text.get("verbosity") or "medium",
    }


def _format(format: Json) -> Json:
    if format["type"] != "json_schema":
        return {"type": format["type"]}
    return {
        "type": "json_schema",
        "name": format.get("name") or DEFAULT_NAME,
        "description": format.get("description"),
        "schema": format["schema"],
        "strict": format.get("strict") or False,
    }


def _tool(tool: Json) -> Json:
    "The tool with the keys that the SDK's types require, and without those that they do not have."
    match tool:
        case {"type": "function"}:
            return {"description": None, "parameters": None, "strict": True, **_known(tool, FunctionTool)}
        case {"type": "custom"}:
            format = {**(tool.get("format") or {"type": "text"})}
            known = _known(format, GrammarFormat if format["type"] == "grammar" else TextFormat)
            return {"description": None, **_known(tool, CustomTool), "format": known}
        case _:
            tools = [_tool(inner) for inner in tool["tools"]]
            known = _known(tool, NamespaceTool)
            return {**known, "description": tool.get("description") or "", "tools": tools}


def _known(value: Json, model: type[Body]) -> Json:
    names = {field.alias or name for name, field in model.model_fields.items()}
    return {name: field for name, field in value.items() if name in names}


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
    "Return the incomplete response. `reason` is one of those in the SDK's `IncompleteDetails`."
    return {
        **response,
        "status": "incomplete",
        "incomplete_details": {"reason": reason},
        "output": [*output],
        "usage": usage_json(usage),
    }


def as_failed(response: Json, output: Sequence[Json], error: ApiError) -> Json:
    "Return the failed response. `output` has the items up to the error."
    error_json = {"code": _code(error), "message": error.message}
    return {**response, "status": "failed", "error": error_json, "output": [*output]}


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
        # Ollama does not report which tokens it had cached.
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": usage.completion_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
    }
