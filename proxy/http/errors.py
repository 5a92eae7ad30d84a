"""What a client is told when something goes wrong: OpenAI's envelope, status codes and codes.

https://platform.openai.com/docs/guides/error-codes; the envelope's four keys are always there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import llm
from fastapi import Request
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

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
    Unauthorized,
    UnusableSchema,
)

INVALID = "invalid_request_error"
SERVER = "server_error"
# OpenAI's clients heed it before anything else.
NO_RETRY = {"x-should-retry": "false"}


class ApiError(Exception):
    "An error as a client gets it."

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
        inner = {"message": self.message, "type": self.type, "param": self.param, "code": self.code}
        return {"error": inner}


@dataclass(frozen=True, slots=True)
class ErrorShape:
    """How one class of errors looks from outside.

    `retry_after` seconds where asking again may help; `remedy` in the API's words where the error's own is
    for the shell.
    """

    status: int
    type: str
    code: str | None
    retry_after: int | None = None
    remedy: str | None = None


SHORTEN = "Send fewer or shorter messages, or start the server with a longer context (--num-ctx)."

SHAPES: dict[type[llm.ModelError], ErrorShape] = {
    ContextOverflow: ErrorShape(400, INVALID, "context_length_exceeded", remedy=SHORTEN),
    UnusableSchema: ErrorShape(400, INVALID, "invalid_json_schema"),
    BadRequest: ErrorShape(400, INVALID, "invalid_value"),
    ModelMissing: ErrorShape(404, INVALID, "model_not_found"),
    NotGptOss: ErrorShape(400, INVALID, "model_not_supported"),
    EngineUnreachable: ErrorShape(503, SERVER, "engine_unreachable", retry_after=5),
    EngineBusy: ErrorShape(503, SERVER, "engine_busy", retry_after=2),
    Unauthorized: ErrorShape(502, SERVER, "engine_unauthorized"),
    EngineError: ErrorShape(502, SERVER, "engine_error"),
    BadAnswer: ErrorShape(502, SERVER, "bad_answer", retry_after=0, remedy="Ask in other words."),
    GptOssError: ErrorShape(500, SERVER, None),
    # Of a model that is not ours.
    llm.ModelError: ErrorShape(502, SERVER, "model_error"),
}


def to_api_error(error: Exception) -> ApiError:
    "What the client is told. Anything unforeseen says nothing about our insides."
    match error:
        case ApiError():
            return error
        case RecursionError():
            # Schemas are walked into: one that is nested too deeply, or that is its own part, has no end.
            return ApiError(400, "The request is nested too deeply, or a schema refers to itself.")
        case GptOssError():
            message, remedy = error.message, error.remedy
        case llm.ModelError():
            message, remedy = str(error), None
        case _:
            message = "The server had an error of its own while it answered."
            return ApiError(500, message, SERVER, headers=NO_RETRY)
    shape = next(SHAPES[kind] for kind in type(error).__mro__ if kind in SHAPES)
    told = " ".join(filter(None, (message, shape.remedy or remedy)))
    return ApiError(shape.status, told, shape.type, shape.code, getattr(error, "param", None), _retry(shape))


def log_unavailable(error: Exception) -> ApiError:
    "The log, at the moment."
    message = f"The log cannot be used at the moment ({error}). Try again."
    return ApiError(503, message, SERVER, "log_unavailable", headers={"Retry-After": "2"})


def _retry(shape: ErrorShape) -> Mapping[str, str]:
    "OpenAI's clients ask again after any 5xx unless they are told not to."
    if shape.status < 500:
        return {}
    if shape.retry_after is None:
        return NO_RETRY
    return {"Retry-After": str(shape.retry_after)}


def error_response(error: Exception) -> JSONResponse:
    told = to_api_error(error)
    return JSONResponse(told.body, told.status, headers=told.headers)


async def handle_error(http: Request, error: Exception) -> JSONResponse:
    return error_response(error)


async def handle_http_exception(http: Request, error: Exception) -> JSONResponse:
    "What the framework itself refuses: a path that is none, or another method than those that it has."
    assert isinstance(error, HTTPException)
    asked = f"{http.method} {http.scope['path']}"
    match error.status_code:
        case 404:
            told = ApiError(404, f"Invalid URL ({asked}).", code="unknown_url")
        case 405:
            told = ApiError(405, f"Not allowed: {asked}. Use another method.", code="method_not_supported")
        case status:
            told = ApiError(status, str(error.detail))
    return JSONResponse(told.body, told.status, headers=error.headers)
