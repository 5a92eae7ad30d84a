"""Parses and repairs the arguments of tool calls.

It makes only repairs that cannot change the meaning. It is better to request other malformed arguments again.
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
    """A call's arguments, as object and as JSON text.

    `repairs` names what was changed in the model's text. `schema_error` is why they do not fit their schema.
    """

    value: Json
    text: str
    repairs: tuple[str, ...] = ()
    schema_error: str | None = None


def parse_arguments(text: str, parameters: Json | None) -> Arguments | str:
    """Return the arguments in `text` for a tool with this JSON schema; or, as a string, why there are none.

    `parameters` is None for a tool without arguments or without a known schema.
    """
    parsed = next(_objects(text, parameters), None)
    if parsed is None:
        return f"no JSON object: {_excerpt(text)}"
    value, repairs = parsed
    allowed = _allowed_keys(parameters, value)
    unknown = [key for key in value if key not in allowed]
    if unknown:
        value = {key: value[key] for key in value if key not in unknown}
        repairs = (*repairs, f"dropped {', '.join(unknown)}")
    reason = validation_error(value, parameters) if parameters else None
    return Arguments(value, canonical_json(value) if repairs else text, repairs, reason)


def canonical_json(value: Json) -> str:
    "Return the JSON text of arguments whose original text was repaired or is unknown."
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    # JSON allows single surrogates, UTF-8 does not: write them as JSON escapes.
    return text.encode(errors="backslashreplace").decode()


def _objects(text: str, parameters: Json | None) -> Iterator[tuple[Json, tuple[str, ...]]]:
    "Yield objects that the text can be parsed to, best first, each with the repairs that were necessary."
    if not text.strip():
        yield {}, ()
    for repairs, parse in _PARSERS:
        try:
            value = parse(text)
            json.dumps(value, allow_nan=False)  # Python also parses NaN and infinity
        except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
            continue
        if isinstance(value, dict):
            yield value, repairs
    name = _single_string_parameter(parameters)
    if name and not _LIKE_JSON.match(text):
        yield {name: _bare_text(text)}, (f"the whole text was used as {name}",)


def _embedded_object(text: str) -> Any:
    start = text.index("{")
    value, end = json.JSONDecoder(strict=False).raw_decode(text, start)
    if _VALUES.search(text[:start] + text[end:]):
        raise ValueError("there is more than one value")
    return value


def _unclosed_object(text: str) -> Any:
    "Close brackets that were left open. A truncated string or number stays an error."
    missing: list[str] = []
    for bracket in filter(None, _BRACKET_OR_STRING.findall(text)):
        if bracket in _CLOSING:
            missing.append(_CLOSING[bracket])
        elif not missing or missing.pop() != bracket:
            raise ValueError("brackets do not match")
    return json.loads(text + "".join(reversed(missing)), strict=False)


def _python_literal(text: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about invalid escapes
        return json.loads(json.dumps(ast.literal_eval(text.strip())))


_PARSERS: tuple[tuple[tuple[str, ...], Callable[[str], Any]], ...] = (
    ((), json.loads),
    (("control characters in a string",), lambda text: json.loads(text, strict=False)),
    (("text around the object",), _embedded_object),
    (("brackets left open",), _unclosed_object),
    (("Python instead of JSON",), _python_literal),
)
_LIKE_JSON = re.compile(r'\s*(?:```\w*\s*)?(?:[{\[]|"[^"]*"\s*:)')
_VALUES = re.compile(r'["{]')
_BRACKET_OR_STRING = re.compile(r'([][{}])|"(?:[^"\\]|\\.)*"?', re.DOTALL)
_CLOSING = {"{": "}", "[": "]"}


def _allowed_keys(parameters: Json | None, value: Json) -> set[str]:
    """Return the keys that the tool accepts.

    The prompt shows the model only the listed properties. It made up any other key, unless the schema allows
    more.
    """
    schema = parameters or {}
    listed = schema.get("properties")
    is_closed = schema.get("additionalProperties") is False and "patternProperties" not in schema
    if not isinstance(listed, dict) or (_ALLOWS_MORE & schema.keys() and not is_closed):
        return set(value)
    return {*listed, *map(str, sequence(schema.get("required")))}


_ALLOWS_MORE = {"additionalProperties", "patternProperties", "anyOf", "oneOf", "allOf", "$ref", "if"}


def _single_string_parameter(parameters: Json | None) -> str | None:
    "Return the only required parameter if it is a string: text without an object can only be its value."
    properties = mapping((parameters or {}).get("properties"))
    required = sequence((parameters or {}).get("required")) or list(properties)
    if len(required) != 1:
        return None
    name = str(required[0])
    return name if mapping(properties.get(name)).get("type") == "string" else None


def _bare_text(text: str) -> str:
    "Return the value of text without an object, which may be a JSON string or not quoted at all."
    try:
        value = json.loads(text, strict=False)
    except (ValueError, RecursionError):
        value = None
    return value if isinstance(value, str) else text.strip()


def _excerpt(text: str) -> str:
    return repr(text if len(text) <= 80 else text[:79] + "…")
