"""Repair of malformed tool-call arguments.

Only what cannot change their meaning is repaired here: what is left after that is better asked for again.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from .completion import Json
from .validate import misfit


@dataclass(frozen=True, slots=True)
class Arguments:
    """A call's arguments: the object, its JSON text, what was done to the model's text to get there, and why
    they still do not fit their schema, if so."""

    value: Json
    text: str
    repairs: tuple[str, ...] = ()
    misfit: str | None = None


def arguments(text: str, parameters: Json | None) -> Arguments | str:
    "The arguments that `text` holds for a tool with these `parameters`; or, as a string, why it holds none."
    found = next(_objects(text, parameters), None)
    if found is None:
        return f"no JSON object: {_excerpt(text)}"
    value, repairs = found
    unknown = [key for key in value if key not in _known(parameters, value)]
    if unknown:
        value = {key: value[key] for key in value if key not in unknown}
        repairs = (*repairs, f"dropped {', '.join(unknown)}")
    reason = misfit(value, parameters) if parameters else None
    return Arguments(value, canonical(value) if repairs else text, repairs, reason)


def canonical(value: Json) -> str:
    "The text that arguments get where the model's own is not to be had."
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _objects(text: str, parameters: Json | None) -> Iterator[tuple[Json, tuple[str, ...]]]:
    "Readings of the text as an object, best first, each with the repairs that it took."
    if not text.strip():
        yield {}, ()
    for repairs, read in _READINGS:
        try:
            value = read(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
        if isinstance(value, dict):
            yield value, repairs
    only = _only_string(parameters)
    if only and not text.lstrip().startswith(("{", "[")):
        yield {only: text.strip().strip('"')}, (f"the text as it stood became {only}",)


def _first_object(text: str) -> Any:
    value, end = json.JSONDecoder(strict=False).raw_decode(text, text.index("{"))
    if "{" in text[end:]:
        raise ValueError("two objects: which one is meant?")
    return value


def _closed(text: str) -> Any:
    "Brackets that were left open are closed, as long as nothing stands open inside them."
    still_open: list[str] = []
    outside = re.sub(r'"(?:[^"\\]|\\.)*"', "", text)
    if '"' in outside or re.search(r"[:,]\s*$", text):
        raise ValueError("cut inside a value")
    for bracket in re.findall(r"[][{}]", outside):
        if bracket in "{[":
            still_open.append("}" if bracket == "{" else "]")
        elif not still_open or still_open.pop() != bracket:
            raise ValueError("brackets do not match")
    return json.loads(text + "".join(reversed(still_open)), strict=False)


_READINGS: tuple[tuple[tuple[str, ...], Callable[[str], Any]], ...] = (
    ((), json.loads),
    (("control characters in a string",), lambda text: json.loads(text, strict=False)),
    (("text around the object",), _first_object),
    (("brackets left open",), _closed),
    (("Python instead of JSON",), lambda text: json.loads(json.dumps(ast.literal_eval(text.strip())))),
)


def _known(parameters: Json | None, value: Json) -> set[str]:
    """The keys that the tool may be given. The model was shown the listed properties and nothing else, so
    others are its invention, unless the schema itself leaves the object open."""
    schema = parameters or {}
    listed = schema.get("properties")
    leaves_open = {"additionalProperties", "patternProperties", "anyOf", "oneOf", "allOf", "$ref", "if"}
    if not isinstance(listed, dict) or (
        leaves_open & schema.keys() and schema.get("additionalProperties") is not False
    ):
        return set(value)
    return set(listed)


def _only_string(parameters: Json | None) -> str | None:
    "The one required parameter, if it is a string: what a bare text can only mean."
    schema = parameters or {}
    required = schema.get("required") or list(schema.get("properties", ()))
    if len(required) != 1:
        return None
    name = str(required[0])
    return name if schema.get("properties", {}).get(name, {}).get("type") == "string" else None


def _excerpt(text: str) -> str:
    return repr(text if len(text) <= 80 else text[:79] + "…")
