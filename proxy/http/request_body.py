"""Receives the body of a request: reads, decodes, limits, parses and validates it once, and returns it as a
value."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from fastapi import Request
from pydantic import ValidationError
from pydantic_core import to_json
from starlette.requests import ClientDisconnect

from llm_gpt_oss.turn.strict_json import parse_json

from .body_model import Body
from .charset import to_utf8
from .content_encoding import BodyDecoder
from .disconnect import CLIENT_LEFT
from .errors import ApiError
from .paths import deployment
from .validation_errors import validation_api_error

B = TypeVar("B", bound=Body)

# Far more than the longest context takes in any encoding, and still harmless for the server.
MAX_BODY = 32 * 2**20
# Each value may be invalid, and an error about it takes a hundred times as much memory as the value.
MAX_VALUES = 100_000


@dataclass(frozen=True, slots=True)
class ReceivedBody(Generic[B]):
    "One request body in three forms: `raw` is JSON in UTF-8, `json` plain Python values, `model` validated."

    raw: bytes
    json: Any
    model: B


async def receive_body(request: Request, model: type[B]) -> ReceivedBody[B]:
    """Receive, parse and validate the body of a request.

    Raises ApiError: 413 for a body that is too long or has too many values, 415 for an unknown
    Content-Encoding, 400 for a body that is not JSON or does not fit `model`.
    """
    return parse_body(await read_bytes(request), model, deployment(request))


def body_of(model: type[B]) -> Callable[[Request], Awaitable[ReceivedBody[B]]]:
    "Return the FastAPI dependency for a request whose body is a `model`."

    async def received_body(request: Request) -> ReceivedBody[B]:
        return await receive_body(request, model)

    return received_body


def parse_body(raw: bytes, model: type[B], deployment: str | None = None) -> ReceivedBody[B]:
    """Parse and validate a body. Raises ApiError if it is not JSON or does not fit `model`.

    `deployment` is the model that the path names. It replaces the body's, as on Azure.
    """
    json = parse_body_json(raw)
    if deployment and isinstance(json, dict) and "model" in model.model_fields:
        json = {**json, "model": deployment}
        raw = to_json(json)
    return ReceivedBody(raw, json, validate_body(json, model))


async def read_bytes(request: Request) -> bytes:
    """Read the body, decompress it, and convert it to UTF-8.

    Raises ApiError if it is too long, if it cannot be decoded, or if the client disconnects before its end.
    """
    stream = request.stream()
    parts: list[bytes] = []
    try:
        try:
            decoder = BodyDecoder(request.headers.getlist("content-encoding"), MAX_BODY)
            async for part in stream:
                parts += decoder.feed(part)
            decoder.finish()
        except ApiError:
            # Read all of a body that is refused: most clients read no answer before they have sent it.
            async for _ in stream:
                pass
            raise
    except ClientDisconnect:
        raise ApiError(CLIENT_LEFT, "The client disconnected.") from None
    return to_utf8(b"".join(parts), request.headers.get("content-type", ""))


def parse_body_json(raw: bytes) -> Any:
    "Parse the body. Raises ApiError for invalid JSON and for too many values."
    try:
        json = parse_json(raw)
    except ValueError as problem:
        raise ApiError(400, f"The body is not valid JSON: {problem}.") from None
    # Values are counted only if there are enough commas: counting commas is a thousand times faster.
    if raw.count(b",") > MAX_VALUES and _has_too_many_values(json):
        message = f"The body has more than {MAX_VALUES} values."
        raise ApiError(413, message, code="request_too_large")
    return json


def validate_body(json: Any, model: type[B]) -> B:
    "Return the JSON as a `model`. Raises ApiError that names the first invalid parameter."
    try:
        return model.model_validate(json)
    except ValidationError as problem:
        raise validation_api_error(problem.errors(include_url=False), json) from None


def _has_too_many_values(json: Any) -> bool:
    count, level = 1, [json]
    while level := [value for value in level if isinstance(value, list | dict)]:
        count += sum(map(len, level))
        if count > MAX_VALUES:
            return True
        level = [inner for value in level for inner in (value.values() if isinstance(value, dict) else value)]
    return False
