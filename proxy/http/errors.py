"""Errors as clients get them: HTTP status and OpenAI's error object, whose four keys are always there.

https://platform.openai.com/docs/guides/error-codes
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import llm
from fastapi import Request
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.routing import Route
from starlette.types import Scope

from llm_gpt_oss.errors import (
    BadAnswer,
    BadRequest,
    ContextOverflow,
    EngineBusy,
    EngineError,
    EngineUnreachable,
    GptOssError,
    ModelMissing,
    NotGptOss,
    OutOfMemory,
    Unauthorized,
    UnusableSchema,
)

from .anthropic_errors import anthropic_body, anthropic_status, is_anthropic

INVALID = "invalid_request_error"
SERVER = "server_error"
# OpenAI's clients obey this header before anything else.
NO_RETRY = {"x-should-retry": "false"}


class ApiError(Exception):
    "An error as a client gets it: HTTP status and headers, and the four fields of OpenAI's error object."

    def __init__(
        self,
        status: int,
        message: str,
        type: str = INVALID,
        code: str | None = None,
        param: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.type = type
        self.code = code
        self.param = param
        self.headers = dict(headers or {})

    @property
    def body(self) -> dict[str, Any]:
        error = {"message": self.message, "type": self.type, "param": self.param, "code": self.code}
        return {"error": error}


@dataclass(frozen=True, slots=True)
class ErrorShape:
    """How the API reports one class of errors.

    `retry_after` is in seconds, and None where a retry cannot help. `remedy` replaces the error's own one,
    which may name a command-line option.
    """

    status: int
    type: str
    code: str | None
    retry_after: int | None = None
    remedy: str | None = None


SHORTEN = "Send fewer or shorter messages, or start the server with a longer context (--num-ctx)."
FREE_MEMORY = (
    "Unload other models or close other programs where the engine runs, or start the server with a shorter "
    "context (--num-ctx)."
)

SHAPES: dict[type[llm.ModelError], ErrorShape] = {
    ContextOverflow: ErrorShape(400, INVALID, "context_length_exceeded", remedy=SHORTEN),
    UnusableSchema: ErrorShape(400, INVALID, "invalid_json_schema"),
    BadRequest: ErrorShape(400, INVALID, "invalid_value"),
    ModelMissing: ErrorShape(404, INVALID, "model_not_found"),
    NotGptOss: ErrorShape(400, INVALID, "model_not_supported"),
    EngineUnreachable: ErrorShape(503, SERVER, "engine_unreachable", retry_after=5),
    EngineBusy: ErrorShape(503, SERVER, "engine_busy", retry_after=2),
    Unauthorized: ErrorShape(502, SERVER, "engine_unauthorized"),
    OutOfMemory: ErrorShape(502, SERVER, "out_of_memory", remedy=FREE_MEMORY),
    EngineError: ErrorShape(502, SERVER, "engine_error"),
    BadAnswer: ErrorShape(
        502, SERVER, "bad_answer", retry_after=0, remedy="Change the wording of the prompt."
    ),
    GptOssError: ErrorShape(500, SERVER, None),
    # Errors of other plugins' models.
    llm.ModelError: ErrorShape(502, SERVER, "model_error"),
}


def to_api_error(error: Exception, *, param: str | None = None) -> ApiError:
    """Return the error that the client gets. Unexpected errors reveal nothing about the server.

    `param` names the field at fault where the error names another one, or none.
    """
    match error:
        case ApiError():
            return error
        case RecursionError():
            # Code that walks through schemas is recursive, and a schema may refer to itself.
            return ApiError(400, "The request is nested too deeply, or a schema refers to itself.")
        case GptOssError():
            message, remedy = error.message, error.remedy
        case llm.ModelError():
            message, remedy = str(error), None
        case _:
            message = "The server had an internal error while it answered."
            return ApiError(500, message, SERVER, headers=NO_RETRY)
    shape = next(SHAPES[cls] for cls in type(error).__mro__ if cls in SHAPES)
    text = " ".join(filter(None, (message, shape.remedy or remedy)))
    param = param or getattr(error, "param", None)
    return ApiError(shape.status, text, shape.type, shape.code, param, _retry_headers(shape))


def log_unavailable(error: Exception) -> ApiError:
    "Return the error for a log that cannot be read or written at the moment."
    if isinstance(error, sqlite3.OperationalError) and "locked" in str(error):
        message = (
            "Another program has locked the log, such as a database browser with an open transaction, or a "
            "backup. Close that program or let it finish, then try again. The server's output names it."
        )
    else:
        message = f"The log cannot be used at the moment ({error}). Try again."
    return ApiError(503, message, SERVER, "log_unavailable", headers={"Retry-After": "2"})


def _retry_headers(shape: ErrorShape) -> Mapping[str, str]:
    "Return the headers that tell OpenAI's clients whether to retry: by default they retry after any 5xx."
    if shape.status < 500:
        return {}
    if shape.retry_after is None:
        return NO_RETRY
    return {"Retry-After": str(shape.retry_after)}


def error_response(error: Exception, scope: Scope) -> JSONResponse:
    "Return the answer to a request that failed, in the form of the API that the request is meant for."
    api_error = to_api_error(error)
    sent_path = scope.get("state", {}).get("sent_path")
    if api_error.param and sent_path:
        api_error.param = sent_path(api_error.param)
    if is_anthropic(scope):
        status = anthropic_status(api_error.status)
        return JSONResponse(anthropic_error_body(api_error, scope), status, headers=api_error.headers)
    return openai_response(api_error)


def openai_response(error: ApiError) -> JSONResponse:
    return JSONResponse(error.body, error.status, headers=error.headers)


def anthropic_error_body(error: ApiError, scope: Scope) -> dict[str, Any]:
    "Return the body of an error as Anthropic's API has it, for the request of `scope`."
    request_id = scope.get("state", {}).get("request_id")
    return anthropic_body(error.status, error.message, error.code, request_id)


async def handle_error(request: Request, error: Exception) -> JSONResponse:
    return error_response(error, request.scope)


async def handle_http_exception(request: Request, error: Exception) -> Response:
    "Answer a request that the framework itself rejects: an unknown path, or a method that the path lacks."
    assert isinstance(error, HTTPException)
    line = f"{request.method} {request.scope['path']}"
    match error.status_code:
        case 404:
            root = str(request.base_url).rstrip("/")
            message = (
                f"Invalid URL ({line}). The base URL of this server is {root}/v1 for clients of OpenAI's "
                f"API, and {root} for clients of Ollama's and Anthropic's."
            )
            api_error = ApiError(404, message, code="unknown_url")
        case 405:
            methods = _allowed_methods(request)
            headers = {"Allow": ", ".join(methods)}
            if request.method == "OPTIONS":
                return Response(status_code=204, headers=headers)
            message = f"Not allowed: {line}. Use {' or '.join(methods)}."
            api_error = ApiError(405, message, code="method_not_supported", headers=headers)
        case status:
            api_error = ApiError(status, str(error.detail), headers=error.headers)
    return error_response(api_error, request.scope)


def _allowed_methods(request: Request) -> list[str]:
    "Return the methods of all routes for the path. The framework names only those of the first."
    path = request.scope["path"]
    routes = [
        route for route in request.app.routes if isinstance(route, Route) and route.path_regex.match(path)
    ]
    methods = {method for route in routes for method in route.methods or ()}
    return sorted(methods | ({"HEAD"} if "GET" in methods else set()))
