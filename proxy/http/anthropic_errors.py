"""Errors in the form of Anthropic's API (https://platform.claude.com/docs/en/api/errors)."""

from __future__ import annotations

from typing import Any

from starlette.datastructures import Headers
from starlette.types import Scope

ENDPOINT = "/v1/messages"
# Anthropic's clients send it with every request, also to paths that OpenAI's API has too.
VERSION_HEADER = "anthropic-version"

# The types of errors, by HTTP status. Other errors of the client are invalid requests.
TYPES = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    409: "conflict_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}
# OpenAI's status for a server that is busy, and Anthropic's.
UNAVAILABLE, OVERLOADED = 503, 529
# Agents compact the conversation when they find these words in an error.
TOO_LONG = "Prompt is too long"


def is_anthropic(scope: Scope) -> bool:
    "Whether a request is meant for Anthropic's API."
    path = scope["path"]
    return bool(path == ENDPOINT or path.startswith(f"{ENDPOINT}/") or VERSION_HEADER in Headers(scope=scope))


def anthropic_status(status: int) -> int:
    return OVERLOADED if status == UNAVAILABLE else status


def anthropic_body(status: int, message: str, code: str | None, request_id: str | None) -> dict[str, Any]:
    "Return the body for an error with OpenAI's `status` and `code`."
    status = anthropic_status(status)
    error_type = TYPES.get(status, "invalid_request_error" if status < 500 else "api_error")
    if code == "context_length_exceeded":
        message = f"{TOO_LONG}. {message}"
    return {"type": "error", "error": {"type": error_type, "message": message}, "request_id": request_id}
