"""Parse the arguments of tool calls.

Mistakes are repaired only if that cannot change the meaning. Otherwise the arguments are requested again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Set
from dataclasses import dataclass

from ..completion import Json
from ..harmony.schema import mapping, sequence
from .lenient_json import parse_object, parse_value, read_object
from .schema_check import validation_error


@dataclass(frozen=True, slots=True)
class Arguments:
    """A call's arguments, as an object and as JSON text.

    `repairs` names what was changed in the model's text. `schema_error` is the reason why they do not fit
    their schema.
    """

    value: Json
    text: str
    repairs: tuple[str, ...] = ()
    schema_error: str | None = None


def parse_arguments(
    text: str, parameters: Json | None, *, tool: str | None = None, whole_header: bool = True
) -> Arguments | str:
    """Return the arguments in `text`, or as a string the reason why it contains none.

    `parameters` is the JSON schema of the tool's arguments, None for a tool that takes none. `tool` is the
    name that the model sees. Without `whole_header`, the header of the call was malformed, and the text may
    begin with the rest of it.
    """
    known = _known_keys(parameters)
    if parameters is None or (known is not None and not known):
        return _no_arguments(text)
    try:
        value, repairs = _read(text, parameters, tool, whole_header)
    except ValueError as error:
        return f"{error}: {_excerpt(text)}"
    value, unwrapped = _unwrap_call(value, parameters, tool)
    value, decoded = _decode_values(value, parameters)
    value, dropped = _drop_unknown_keys(value, parameters)
    repairs = (*repairs, *unwrapped, *decoded, *dropped)
    unknown = [key for key in value if known is not None and key not in known]
    reason = validation_error(value, parameters) or (f"unknown {_listed(unknown)}" if unknown else None)
    return Arguments(value, canonical_json(value) if repairs else text, repairs, reason)


def canonical_json(value: Json) -> str:
    "Return the JSON text of arguments whose original text was repaired or is unknown."
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    # JSON allows single surrogates, UTF-8 does not: write them as JSON escapes.
    return text.encode(errors="backslashreplace").decode()


Repaired = tuple[Json, tuple[str, ...]]


def _no_arguments(text: str) -> Arguments:
    if not text.strip() or parse_object(text) == {}:
        return Arguments({}, text)
    return Arguments({}, "{}", ("dropped everything, because the tool takes no arguments",))


# Text to object.


def _read(text: str, parameters: Json, tool: str | None, whole_header: bool) -> Repaired:
    if not text.strip():
        return {}, ()
    try:
        return read_object(text, _known_keys(parameters) or ())
    except ValueError:
        name = _only_parameter(parameters)
        if name is None or not whole_header or _has_structure(text, name, tool):
            raise
        return {name: text.strip()}, (f"the whole text was used as {name}",)


def _only_parameter(parameters: Json) -> str | None:
    "Return the name of the only parameter if it is a string. Text without an object can only be its value."
    properties = mapping(parameters.get("properties"))
    if len(properties) != 1:
        return None
    ((name, schema),) = properties.items()
    return str(name) if mapping(schema).get("type") == "string" else None


def _has_structure(text: str, parameter: str, tool: str | None) -> bool:
    "Whether the text is not a plain value but markup, a fence, JSON, a call of the tool, or an assignment."
    text = text.strip()
    return (
        any(pattern.search(text) for pattern in (_MARKUP, _JSON, _ASSIGNMENT))
        or _has_assignment(text, parameter)
        or (tool is not None and text.removeprefix("functions.").startswith(f"{tool}("))
    )


def _has_assignment(text: str, parameter: str) -> bool:
    "Whether the name of the parameter is followed by `=` or `:`, perhaps within quotes."
    if len(parameter) > _MAX_NAME:
        return False
    at = text.find(parameter)
    while at >= 0:
        is_word_start = at == 0 or not (text[at - 1].isalnum() or text[at - 1] == "_")
        if is_word_start and _ASSIGNS.match(text, at + len(parameter)):
            return True
        at = text.find(parameter, at + 1)
    return False


# A name that is longer does not occur in prose.
_MAX_NAME = 100
_ASSIGNS = re.compile(r"""["'`*]{0,9}\s{0,9}[:=]""")
_MARKUP = re.compile(r"^[<`]|<\||\|>|</|>$|```|~~~")
_JSON = re.compile(r"""^["'{\[]|^(?:-?\d[\d.eE+-]*|true|false|null)$|[{\[]\s*["'{\[]""")
# `name = value` and `name: value` at the beginning, but not `name == value`, `https://` and `std::name`.
_ASSIGNMENT = re.compile(r"""^\W*[^\W\d][\w.-]*["'`*]*\s*(?::=|=(?!=)|:(?![/:]))""")


# Object to arguments that fit the tool's parameters.


def _known_keys(parameters: Json | None) -> Set[str] | None:
    """Return the keys that the tool accepts, or None if it accepts any.

    The prompt shows the model only the listed properties. Unless the schema allows more, the model made up
    any other key.
    """
    schema = parameters or {}
    listed = schema.get("properties")
    is_closed = schema.get("additionalProperties") is False and "patternProperties" not in schema
    if not isinstance(listed, dict) or (_ALLOWS_MORE & schema.keys() and not is_closed):
        return None
    return {*listed, *map(str, sequence(schema.get("required")))}


_ALLOWS_MORE = {"additionalProperties", "patternProperties", "anyOf", "oneOf", "allOf", "$ref", "if"}


def _unwrap_call(value: Json, parameters: Json, tool: str | None) -> Repaired:
    """Return the arguments inside an object that contains the whole call, or the object if it does not.

    The arguments are under the key `arguments`, `parameters`, or the tool's name. The object contains nothing
    else, except for the tool's name, and cannot be the arguments itself.
    """
    known = _known_keys(parameters)
    names = (tool, f"functions.{tool}") if tool else ()
    keys = [key for key in ("arguments", "parameters", *names) if key in value and key not in (known or ())]
    if len(keys) != 1 or any(value[key] not in (*names, "function") for key in value if key not in keys):
        return value, ()
    inner = value[keys[0]]
    inner = parse_object(inner) if isinstance(inner, str) else inner
    if not isinstance(inner, dict) or validation_error(inner, parameters):
        return value, ()
    if not validation_error(value, parameters) if known is None else inner.keys() - {*known}:
        return value, ()
    return inner, ("a call around the arguments",)


def _decode_values(value: Json, parameters: Json) -> Repaired:
    "Decode objects and arrays that were written as JSON strings, if the schema does not allow a string."
    one_of_them = {**parameters, "required": []}
    decoded: Json = {}
    for key in mapping(parameters.get("properties")):
        text = value.get(key)
        if isinstance(text, str) and text.lstrip()[:1] in ("{", "["):
            try:
                inner = parse_value(text)
            except ValueError:
                continue
            if validation_error({key: text}, one_of_them) and not validation_error({key: inner}, one_of_them):
                decoded[key] = inner
    return {**value, **decoded}, tuple(f"{key} was JSON in a string" for key in decoded)


def _drop_unknown_keys(value: Json, parameters: Json) -> Repaired:
    """Drop keys that the tool does not accept.

    None is dropped if no key would be left, or if the model may have meant a missing parameter with a similar
    name.
    """
    known = _known_keys(parameters)
    kept = {key: value[key] for key in value if known is None or key in known}
    unknown = [key for key in value if key not in kept]
    missing = {_plain_name(key) for key in known or () if key not in value}
    if not unknown or not kept or any(_plain_name(key) in missing for key in unknown):
        return value, ()
    return kept, (f"dropped {_listed(unknown)}",)


def _plain_name(key: str) -> str:
    return re.sub(r"[\W_]", "", key.casefold()).removesuffix("s")


# The model's text in notes.


def _listed(keys: list[str]) -> str:
    more = [f"{len(keys) - 5} more"] if len(keys) > 5 else []
    return ", ".join([*(_shorten(key) for key in keys[:5]), *more])


def _excerpt(text: str) -> str:
    return repr(_shorten(text))


def _shorten(text: str) -> str:
    return text if len(text) <= 80 else text[:79] + "…"
