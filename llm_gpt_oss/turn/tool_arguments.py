"""Repair of malformed tool-call arguments.

Only what cannot change their meaning is repaired here: what is left after that is better asked for again.
"""

from __future__ import annotations

import ast
import json
import re
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from ..completion import Json
from ..harmony.schema import mapping, sequence
from .schema_check import validation_error


@dataclass(frozen=True, slots=True)
class Arguments:
    """A call's arguments: the object, its JSON text, what was done to the model's text to get there, and why
    they still do not fit their schema, if so."""

    value: Json
    text: str
    repairs: tuple[str, ...] = ()
    schema_error: str | None = None


def parse_arguments(text: str, parameters: Json | None) -> Arguments | str:
    "The arguments that `text` holds for a tool with these `parameters`; or, as a string, why it holds none."
    found = next(_objects(text, parameters), None)
    if found is None:
        return f"no JSON object: {_excerpt(text)}"
    value, repairs = found
    unknown = [key for key in value if key not in _known(parameters, value)]
    if unknown:
        value = {key: value[key] for key in value if key not in unknown}
        repairs = (*repairs, f"dropped {', '.join(unknown)}")
    reason = validation_error(value, parameters) if parameters else None
    return Arguments(value, canonical_json(value) if repairs else text, repairs, reason)


def canonical_json(value: Json) -> str:
    "The text that arguments get where the model's own is not to be had."
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    # Half a surrogate pair is text to JSON, though not to UTF-8: there it is spelled as JSON spells it.
    return text.encode(errors="backslashreplace").decode()


def _objects(text: str, parameters: Json | None) -> Iterator[tuple[Json, tuple[str, ...]]]:
    "Readings of the text as an object, best first, each with the repairs that it took."
    if not text.strip():
        yield {}, ()
    for repairs, read in _READINGS:
        try:
            value = read(text)
            json.dumps(value, allow_nan=False)  # what JSON cannot say, Python can
        except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
            continue
        if isinstance(value, dict):
            yield value, repairs
    only = _only_string(parameters)
    if only and not _LIKE_JSON.match(text):
        yield {only: _bare(text)}, (f"the text as it stood became {only}",)


def _only_object(text: str) -> Any:
    start = text.index("{")
    value, end = json.JSONDecoder(strict=False).raw_decode(text, start)
    if _VALUES.search(text[:start] + text[end:]):
        raise ValueError("more than one value: which one is meant?")
    return value


def _closed(text: str) -> Any:
    "Brackets that were left open are closed, as long as nothing stands open inside them."
    still_open: list[str] = []
    for bracket in filter(None, _BRACKET_OR_STRING.findall(text)):
        if bracket in _CLOSING:
            still_open.append(_CLOSING[bracket])
        elif not still_open or still_open.pop() != bracket:
            raise ValueError("brackets do not match")
    return json.loads(text + "".join(reversed(still_open)), strict=False)


def _python(text: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about backslashes: the model is not there to read it
        return json.loads(json.dumps(ast.literal_eval(text.strip())))


_READINGS: tuple[tuple[tuple[str, ...], Callable[[str], Any]], ...] = (
    ((), json.loads),
    (("control characters in a string",), lambda text: json.loads(text, strict=False)),
    (("text around the object",), _only_object),
    (("brackets left open",), _closed),
    (("Python instead of JSON",), _python),
)
_LIKE_JSON = re.compile(r'\s*(?:```\w*\s*)?(?:[{\[]|"[^"]*"\s*:)')
_VALUES = re.compile(r'["{]')
_BRACKET_OR_STRING = re.compile(r'([][{}])|"(?:[^"\\]|\\.)*"?', re.DOTALL)
_CLOSING = {"{": "}", "[": "]"}


def _known(parameters: Json | None, value: Json) -> set[str]:
    """The keys that the tool may be given. The model was shown the listed properties and nothing else, so
    others are its invention, unless the schema itself leaves the object open."""
    schema = parameters or {}
    listed = schema.get("properties")
    closed = schema.get("additionalProperties") is False and "patternProperties" not in schema
    if not isinstance(listed, dict) or (_LEAVES_OPEN & schema.keys() and not closed):
        return set(value)
    return {*listed, *map(str, sequence(schema.get("required")))}


_LEAVES_OPEN = {"additionalProperties", "patternProperties", "anyOf", "oneOf", "allOf", "$ref", "if"}


def _only_string(parameters: Json | None) -> str | None:
    "The one required parameter, if it is a string: what a bare text can only mean."
    properties = mapping((parameters or {}).get("properties"))
    required = sequence((parameters or {}).get("required")) or list(properties)
    if len(required) != 1:
        return None
    name = str(required[0])
    return name if mapping(properties.get(name)).get("type") == "string" else None


def _bare(text: str) -> str:
    "The string that a text without an object stands for, whether or not it is quoted as JSON has it."
    try:
        value = json.loads(text, strict=False)
    except (ValueError, RecursionError):
        value = None
    return value if isinstance(value, str) else text.strip()


def _excerpt(text: str) -> str:
    return repr(text if len(text) <= 80 else text[:79] + "…")
