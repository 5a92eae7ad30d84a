"""Receives the body of a request: reads, decodes, limits, parses, translates and validates it once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar

from fastapi import Request
from pydantic import ValidationError
from pydantic_core import to_json
from starlette.requests import ClientDisconnect

from llm_gpt_oss.turn.strict_json import parse_json

from .body_budget import BodyBudget, HeldBody
from .body_model import Body
from .body_pace import at_pace
from .charset import to_utf8
from .content_encoding import BodyDecoder
from .disconnect import CLIENT_LEFT
from .errors import ApiError
from .field_table import Names, translate
from .long_work import off_loop
from .paths import deployment
from .unknown_fields import unknown_fields, unknown_parameter
from .validation_errors import MISSING, parse_path, path_text, validation_api_error

B = TypeVar("B", bound=Body)

# Far more than the longest context takes in any encoding, and still harmless for the server.
MAX_BODY = 32 * 2**20
# Each value may be invalid, and an error about it takes a hundred times as much memory as the value.
MAX_VALUES = 100_000


@dataclass(frozen=True, slots=True)
class ReceivedBody(Generic[B]):
    """One request body in three forms: `raw` is JSON in UTF-8, `json` plain Python values, `model` validated.

    `json` and `model` have OpenAI's names and forms where the client used others that the endpoint's table
    knows. `translated` is whether `json` differs from `raw`. `sent` is the value of `raw`, and `sources` has
    the paths in it of the fields that have other ones in `json` (`Translation`). `ignored` are the paths of
    the fields that this server does not know, and of those that have no effect in this body. `held`
    counts the body's memory as long as it is used.
    """

    raw: bytes
    json: Any
    model: B
    translated: bool = False
    ignored: tuple[str, ...] = ()
    sources: Mapping[Names, Names] = field(default_factory=dict, compare=False)
    sent: Any = field(default=None, compare=False)
    held: HeldBody | None = field(default=None, compare=False)

    def sent_path(self, path: str) -> str:
        """The path in `sent` of a value of `json`, such as `messages[0].content`.

        If it was translated from another form, this is the path of what it was made of. A path that is not in
        `json`, such as the name of a parameter in the URL, stays as it is.
        """
        return sent_path(path, self.sent, self.sources)


async def receive_body(
    request: Request, model: type[B], budget: BodyBudget, *, strict: bool = False
) -> ReceivedBody[B]:
    """Receive, parse and read the body of a request.

    Raises ApiError: 408 for a body that arrives too slowly, 413 for one that is too long or has too many
    values, 415 for an unknown Content-Encoding, 503 for one that does not fit into the budget, 400 for a body
    that is not JSON or does not fit `model`, and with `strict` for one that has unknown fields.
    """
    raw, held = await read_bytes(request, budget)
    received = await off_loop(len(raw), parse_body, raw, model, deployment(request), strict=strict)
    return replace(received, held=held)


def parse_body(
    raw: bytes, model: type[B], deployment: str | None = None, *, strict: bool = False
) -> ReceivedBody[B]:
    """Parse and read a body. Raises ApiError for anything but a JSON object that fits `model`.

    `deployment` is the model that the path names. It replaces the body's, as on Azure.
    """
    json = parse_body_json(raw)
    if deployment and isinstance(json, dict) and "model" in model.model_fields:
        json = {**json, "model": deployment}
        raw = to_json(json)
    return read_body(raw, json, model, strict=strict)


def read_body(raw: bytes, sent: Any, model: type[B], *, strict: bool = False) -> ReceivedBody[B]:
    """Read a body that is parsed already: `sent` is the value of `raw`.

    Raises ApiError for a body that does not fit `model`, and with `strict` for one that has unknown fields.
    """
    translated, sources, overruled = translate(sent, model.FIELDS)
    try:
        validated = model.model_validate(translated)
    except ValidationError as problem:
        error = validation_api_error(problem.errors(include_url=False), translated, sources)
        if error.param and error.code != MISSING:
            error.param = sent_path(error.param, sent)
        raise error from None
    ignored = unknown_fields(validated)
    if strict and ignored:
        raise unknown_parameter(ignored[0])
    json = _as_read(translated, validated)
    unused = (*map(".".join, overruled), *validated.unused_fields())
    return ReceivedBody(raw, json, validated, json is not sent, (*ignored, *unused), sources, sent)


def _as_read(json: dict[str, Any], model: Body) -> dict[str, Any]:
    "Return the JSON with what the types of the model made of a value: 10 for 10.0, null for no limit."
    changed = {
        name: value
        for name, value in vars(model).items()
        if isinstance(value, int | str | None) and name in json and type(value) is not type(json[name])
    }
    return {**json, **changed} if changed else json


async def read_bytes(request: Request, budget: BodyBudget) -> tuple[bytes, HeldBody]:
    """Read the body, decompress it, and convert it to UTF-8. Also return its part of the budget.

    Raises ApiError if it is too long or too slow, if it does not fit into the budget, if it cannot be
    decoded, or if the client disconnects before its end.
    """
    stream = at_pace(request.stream())
    parts: list[bytes] = []
    held = HeldBody(budget, getattr(request.state, "actor", None))
    try:
        try:
            decoder = BodyDecoder(request.headers.getlist("content-encoding"), MAX_BODY)
            async for data in stream:
                for part in decoder.feed(data):
                    held.add(len(part))
                    parts.append(part)
            decoder.finish()
        except ApiError:
            parts.clear()
            held.release()
            # Read all of a body that is refused: most clients read no answer before they have sent it.
            async for _ in stream:
                pass
            raise
    except ClientDisconnect:
        raise ApiError(CLIENT_LEFT, "The client disconnected.") from None
    return to_utf8(b"".join(parts), request.headers.get("content-type", "")), held


def parse_body_json(raw: bytes) -> Any:
    "Parse the body. Raises ApiError for invalid JSON and for too many values."
    # Before it is parsed: until then nothing else runs.
    if _has_too_many_values(raw):
        message = f"The body has more than {MAX_VALUES} values."
        raise ApiError(413, message, code="request_too_large")
    try:
        return parse_json(raw)
    except ValueError as problem:
        raise ApiError(400, f"The body is not valid JSON: {problem}.") from None


def _has_too_many_values(raw: bytes) -> bool:
    """Whether the JSON has more than MAX_VALUES values.

    Each follows a comma, or is the first in an object or array. Empty ones count as two.
    """
    # Counting in the whole body is a thousand times faster than counting outside of strings only.
    if _count_values(raw) <= MAX_VALUES:
        return False
    count = start = 0
    for string in _STRING.finditer(raw):
        count += _count_values(raw[start : string.start()])
        start = string.end()
        if count > MAX_VALUES:
            return True
    return count + _count_values(raw[start:]) > MAX_VALUES


def _count_values(raw: bytes) -> int:
    return len(raw) - len(raw.translate(None, b",[{"))


# A string without an end reaches to the end of the text, so that the time is linear.
_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"?', re.DOTALL)


def sent_path(path: str, sent: Any, sources: Mapping[Names, Names] = {}) -> str:
    "See `ReceivedBody.sent_path`."
    steps = parse_path(path)
    for target, source in sources.items():
        if steps[: len(target)] == target:
            steps = (*source, *steps[len(target) :])
    value, found = sent, 0
    for step in steps:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            break
        found += 1
    return path_text(steps[:found]) if found else path
