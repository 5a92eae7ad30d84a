"""Validates values against JSON schemas.

The schema of a tool can come from anybody, and some schemas take exponential time. So this module limits the
work of a validation.
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

# The most keywords that are checked for one value. The arguments of a tool take a few hundred.
MAX_KEYWORDS = 50_000
# The most paths that a pattern may take over a text. Each is a step of `re`, which takes 50 million a second.
MAX_PATTERN_PATHS = 10_000_000
# The most characters of the reason why a value does not fit its schema.
MAX_REASON = 300

Check = Callable[[Any, Any, Any, Json], Any]


class _TooManyKeywords(Exception):
    "The validation has checked MAX_KEYWORDS keywords."


def validation_error(value: Any, schema: Json) -> str | None:
    """Return the main reason why `value` does not fit `schema`, with a JSON path; None if it fits.

    A schema that cannot be checked accepts every value, because the model cannot do anything about it: an
    invalid one, references that lead nowhere or in a circle, patterns that Python does not support, too many
    keywords. References to other documents are never fetched.
    """
    # jsonschema takes longer to import than the whole plugin, and most turns validate nothing.
    from jsonschema.exceptions import best_match
    from referencing import Registry
    from referencing.exceptions import Unresolvable

    if schema_error(schema):
        return None
    try:
        error = best_match(_limited(_validator_class(schema))(schema, registry=Registry()).iter_errors(value))
    except (Unresolvable, RecursionError, OverflowError, re.error, _TooManyKeywords):
        return None
    return _shorten(f"{error.json_path}: {error.message}") if error else None


def _shorten(reason: str) -> str:
    "Cut a reason in the middle: it can contain the whole value."
    return (
        reason if len(reason) <= MAX_REASON else f"{reason[: MAX_REASON // 2]} … {reason[-MAX_REASON // 2 :]}"
    )


def schema_error(schema: Json) -> str | None:
    "Return why this is not a valid JSON schema, with a JSON path; None if it is valid."
    from jsonschema import FormatChecker
    from jsonschema.exceptions import SchemaError

    try:
        # Without checks of formats: a pattern that Python does not support may be fine elsewhere.
        _validator_class(schema).check_schema(schema, FormatChecker(()))
    except SchemaError as error:
        return f"{error.json_path}: {error.message}"
    except RecursionError:
        return "it is nested too deeply"
    return None


def _validator_class(schema: Json) -> Any:
    "Return jsonschema's validator for the version that `$schema` names, else for 2020-12."
    from jsonschema import Draft202012Validator
    from jsonschema.validators import validator_for

    try:
        return validator_for(schema, default=Draft202012Validator)
    except (ValueError, TypeError, AttributeError):  # `$schema` is not a URL
        return Draft202012Validator


def _limited(base: Any) -> Any:
    """Return a subclass of a validator class, for one value.

    It raises _TooManyKeywords after MAX_KEYWORDS, and skips keywords and patterns that can take very long.
    """
    from jsonschema import validators

    extend: Any = validators.extend
    budget = iter(range(MAX_KEYWORDS))

    def count(check: Check, validator: Any, argument: Any, value: Any, schema: Json) -> Iterator[Any]:
        if next(budget, None) is None:
            raise _TooManyKeywords
        return check(validator, argument, value, schema) or iter(())

    checks = {**base.VALIDATORS, **dict.fromkeys(SKIPPED_KEYWORDS & base.VALIDATORS.keys(), _skip)}
    for name, guard in GUARDS.items():
        checks[name] = partial(guard, checks[name])
    limited = extend(base, {name: partial(count, check) for name, check in checks.items()})
    limited.evolve = _evolve
    return limited


def _evolve(validator: Any, **changes: Any) -> Any:
    """Return a copy of the validator, of the same class.

    jsonschema's own method would return one without limits if a subschema has a `$schema`.
    """
    from attrs import fields

    unchanged = {
        field.alias: getattr(validator, field.name) for field in fields(type(validator)) if field.init
    }
    return type(validator)(**{**unchanged, **changes})


def _skip(validator: Any, argument: Any, value: Any, schema: Json) -> None:
    return None


def _guard_pattern(check: Check, validator: Any, argument: Any, value: Any, schema: Json) -> Any:
    if isinstance(value, str) and not _is_fast(argument, value):
        return None
    return check(validator, argument, value, schema)


def _guard_keys(check: Check, validator: Any, argument: Any, value: Any, schema: Json) -> Any:
    "Run `check` unless a pattern of `patternProperties` is slow for one of the object's keys."
    patterns = schema.get("patternProperties", {})
    keys = value if isinstance(value, dict) else ()
    if not all(_is_fast(pattern, key) for pattern in patterns for key in keys):
        return None
    return check(validator, argument, value, schema)


# These traverse the schema without the validator's methods, so their keywords cannot be counted.
SKIPPED_KEYWORDS = {"unevaluatedItems", "unevaluatedProperties"}
GUARDS = {"pattern": _guard_pattern, "patternProperties": _guard_keys, "additionalProperties": _guard_keys}


def _is_fast(pattern: str, text: str) -> bool:
    "Whether the pattern takes at most MAX_PATTERN_PATHS over the text."
    # The parser of `re` has another name since Python 3.11.
    parser = import_module("re._parser" if sys.version_info >= (3, 11) else "sre_parse")
    nodes = list(parser.parse(pattern))
    starts = 1 if nodes and str(nodes[0][0]) == "AT" else len(text) + 1
    return starts * _paths(nodes, len(text)) <= MAX_PATTERN_PATHS


def _paths(nodes: Any, length: int) -> float:
    "Return an upper bound of the ways in which parsed nodes can match a text of this length."
    paths = 1.0
    for operation, argument in nodes:
        paths *= _node_paths(str(operation), argument, length)
        if paths > MAX_PATTERN_PATHS:
            break
    return paths


def _node_paths(operation: str, argument: Any, length: int) -> float:
    if operation == "BRANCH":
        return sum(_paths(branch, length) for branch in argument[1])
    if operation.endswith("_REPEAT"):
        minimum, maximum, body = argument
        maximum = min(int(maximum), length)
        lengths: int = maximum - min(minimum, maximum) + 1
        # 2 ** 24 exceeds the limit already, and a larger exponent could overflow.
        return math.pow(_paths(body, length), min(maximum, 24)) * lengths
    paths = 1.0
    for part in argument if isinstance(argument, tuple) else (argument,):
        if hasattr(part, "getwidth"):  # a subpattern
            paths *= _paths(part, length)
    return paths
