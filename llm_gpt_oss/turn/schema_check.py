"""Does a value fit its JSON schema?

Schemas of tools may be anybody's, and some would take for ever: what is asked of them here is bounded.
"""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from typing import Any

from ..completion import Json

# Keywords that are looked at for one value. A tool's arguments take a few hundred.
MAX_KEYWORDS = 50_000
# Ways that a pattern may go over a text, at worst; each is a step of `re`, and a second has some 50 million.
MAX_PATTERN_PATHS = 10_000_000

Check = Callable[[Any, Any, Any, Json], Any]


class _Endless(Exception):
    "It cannot be checked in the time there is."


def validation_error(value: Any, schema: Json) -> str | None:
    """The chief reason why `value` does not fit, with its place; None where it fits.

    A schema that cannot check it (invalid, references that lead nowhere or in a circle, patterns that are not
    Python's, more than can be looked at in a moment) fits everything: its author has to mend that, not the
    model. References to other documents are never fetched.
    """
    # Imported here: it costs more than the whole plugin, and is needed only once there is something to check.
    from jsonschema.exceptions import best_match
    from referencing import Registry
    from referencing.exceptions import Unresolvable

    if schema_error(schema):
        return None
    try:
        error = best_match(_bounded(_dialect(schema))(schema, registry=Registry()).iter_errors(value))
    except (Unresolvable, RecursionError, OverflowError, re.error, _Endless):
        return None
    return f"{error.json_path}: {error.message}" if error else None


def schema_error(schema: Json) -> str | None:
    "Why this is no JSON schema, with the place; None where it is one."
    from jsonschema import FormatChecker
    from jsonschema.exceptions import SchemaError

    try:
        # Without the usual checks of formats: a pattern that Python cannot read may be fine elsewhere.
        _dialect(schema).check_schema(schema, FormatChecker(()))
    except SchemaError as error:
        return f"{error.json_path}: {error.message}"
    except RecursionError:
        return "it is nested too deep"
    return None


def _dialect(schema: Json) -> Any:
    "The JSON schema that `$schema` names, else the newest."
    from jsonschema import Draft202012Validator
    from jsonschema.validators import validator_for

    try:
        return validator_for(schema, default=Draft202012Validator)
    except (ValueError, TypeError, AttributeError):  # what is named there is no address at all
        return Draft202012Validator


def _bounded(dialect: Any) -> Any:
    "The dialect, for one value: it raises _Endless after so many keywords, and leaves out what may hang."
    from jsonschema import validators

    extend: Any = validators.extend
    looked = iter(range(MAX_KEYWORDS))

    def counted(keyword: Check, validator: Any, given: Any, value: Any, schema: Json) -> Iterator[Any]:
        if next(looked, None) is None:
            raise _Endless
        return keyword(validator, given, value, schema) or iter(())

    checks = {**dialect.VALIDATORS, **dict.fromkeys(UNCOUNTED & dialect.VALIDATORS.keys(), _nothing)}
    for name, guard in GUARDS.items():
        checks[name] = partial(guard, checks[name])
    bounded = extend(dialect, {name: partial(counted, check) for name, check in checks.items()})
    bounded.evolve = _evolved
    return bounded


def _evolved(validator: Any, **changes: Any) -> Any:
    "jsonschema's own would take another class, that counts nothing, wherever a schema names its `$schema`."
    from attrs import fields

    kept = {field.alias: getattr(validator, field.name) for field in fields(type(validator)) if field.init}
    return type(validator)(**{**kept, **changes})


def _nothing(validator: Any, given: Any, value: Any, schema: Json) -> None:
    return None


def _pattern(check: Check, validator: Any, given: Any, value: Any, schema: Json) -> Any:
    return (
        check(validator, given, value, schema) if not isinstance(value, str) or _quick(given, value) else None
    )


def _keys(check: Check, validator: Any, given: Any, value: Any, schema: Json) -> Any:
    "For keywords that try the patterns of `patternProperties` on every key."
    patterns = schema.get("patternProperties", {})
    keys = value if isinstance(value, dict) else ()
    if not all(_quick(pattern, key) for pattern in patterns for key in keys):
        return None
    return check(validator, given, value, schema)


# These go through the schema by ways of their own.
UNCOUNTED = {"unevaluatedItems", "unevaluatedProperties"}
GUARDS = {"pattern": _pattern, "patternProperties": _keys, "additionalProperties": _keys}


def _quick(pattern: str, text: str) -> bool:
    "Whether `re` surely has its answer at once."
    # What re is made of has another name since Python 3.11.
    parser = import_module("re._parser" if sys.version_info >= (3, 11) else "sre_parse")
    nodes = list(parser.parse(pattern))
    starts = 1 if nodes and str(nodes[0][0]) == "AT" else len(text) + 1
    return starts * _ways(nodes, len(text)) <= MAX_PATTERN_PATHS


def _ways(nodes: Any, length: int) -> float:
    "In how many ways they may match a text of that length, at most: each choice multiplies."
    ways = 1.0
    for operation, given in nodes:
        ways *= _choices(str(operation), given, length)
        if ways > MAX_PATTERN_PATHS:
            break
    return ways


def _choices(operation: str, given: Any, length: int) -> float:
    if operation == "BRANCH":
        return sum(_ways(branch, length) for branch in given[1])
    if operation.endswith("_REPEAT"):
        least, most, body = given
        most = min(int(most), length)
        lengths: int = most - min(least, most) + 1
        # 2 ** 24 is too many already, and a float has an end.
        return math.pow(_ways(body, length), min(most, 24)) * lengths
    ways = 1.0
    for part in given if isinstance(given, tuple) else (given,):
        if hasattr(part, "getwidth"):  # nodes within it
            ways *= _ways(part, length)
    return ways
