"""Reading a request: its body as a typed value, and whether its client still waits."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from fastapi import Request
from pydantic import ValidationError
from starlette.requests import ClientDisconnect

from llm_gpt_oss.turn.strict_json import parse_json

from .body_model import Body
from .errors import ApiError
from .validation_errors import validation_api_error

T = TypeVar("T")
B = TypeVar("B", bound=Body)

# Far above the longest context in any encoding, far below what hurts.
MAX_BODY = 32 * 2**20
# Each of them may be wrong, and what is wrong takes a hundred times its room.
MAX_VALUES = 100_000


async def read_body(http: Request, kind: type[B]) -> B:
    """Raises ApiError: 413 for a body that is too long, 400 for one that is no `kind`.

    `http.state.body` is the body as it came.
    """
    http.state.body = await read_bytes(http)
    return parse_body(http.state.body, kind)


def parse_body(body: bytes, kind: type[B]) -> B:
    "Raises ApiError for a body that is no `kind`."
    sent = parse_body_json(body)
    try:
        return kind.model_validate_json(body)
    except ValidationError as problem:
        raise validation_api_error(problem.errors(include_url=False), sent) from None


async def read_bytes(http: Request) -> bytes:
    body, length = bytearray(), 0
    try:
        async for part in http.stream():
            length += len(part)
            # What is too long is read all the same, and forgotten: most clients hear nothing while they send.
            if length <= MAX_BODY:
                body += part
    except ClientDisconnect:
        raise ApiError(499, "The client left.") from None
    if length > MAX_BODY:
        message = f"The body is longer than {MAX_BODY // 2**20} MiB."
        raise ApiError(413, message, code="request_too_large")
    return bytes(body)


def parse_body_json(body: bytes) -> Any:
    "Raises ApiError."
    try:
        sent = parse_json(body)
    except ValueError as problem:
        raise ApiError(400, f"The body is no valid JSON: {problem}.") from None
    # Counting commas is a thousand times faster, and they are in texts too.
    if body.count(b",") > MAX_VALUES and _too_many(sent):
        message = f"The body has more than {MAX_VALUES} values."
        raise ApiError(413, message, code="request_too_large")
    return sent


def _too_many(sent: Any) -> bool:
    count, level = 1, [sent]
    while level := [each for each in level if isinstance(each, list | dict)]:
        count += sum(map(len, level))
        if count > MAX_VALUES:
            return True
        level = [inner for each in level for inner in (each.values() if isinstance(each, dict) else each)]
    return False


async def cancel_on_disconnect(http: Request, work: Coroutine[Any, Any, T]) -> T:
    "What `work` comes to; it is cancelled when the client leaves before that."
    working = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(_left(http))
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ApiError(499, "The client left.")
        return working.result()
    finally:
        leaving.cancel()
        working.cancel()
        await asyncio.wait({working})


async def _left(http: Request) -> None:
    while (await http.receive())["type"] != "http.disconnect":
        pass
