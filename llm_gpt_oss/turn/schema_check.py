"""Validates values against JSON schemas.

The schema of a tool can come from anybody. So this module limits the size of schemas and the work of a
validation, and never fetches a schema that another one refers to. Patterns take linear time.
"""

from __future__ import annotations

from collections.abc import Iterator, Set
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from ..completion import Json
from ..harmony.schema import find_child, mapping, sequence

if TYPE_CHECKING:
    from jsonschema_rs import Validator

# The most values in a schema. OpenAI accepts about 5000 properties.
MAX_SCHEMA = 20_000
# How deeply schemas and values may be nested. jsonschema-rs recurses on the stack of the process.
MAX_DEPTH = 200
# The most keywords that are checked for one value, where each entry of a list or object counts as one. The
# arguments of a tool take a few hundred.
MAX_WORK = 200_000
# The most patterns in a schema, and the bytes that each may take when it is compiled. One of that size needs
# up to 6 microseconds for a character, which is as long as this number of keywords takes.
MAX_PATTERNS, MAX_PATTERN_SIZE = 500, 2**16
# The most characters of all patterns in a schema. Those of a pattern count once more for each escape in it,
# because jsonschema-rs copies the whole pattern for each `\s`. Nothing else runs meanwhile.
MAX_PATTERN_LENGTH = 100_000
WORK_PER_CHARACTER = 3
# The most characters of the reason why a value does not fit its schema.
MAX_REASON = 300
# jsonschema-rs copies the value into the reason of each alternative that it does not fit. This limits the
# characters of the value, times the values in the schema.
MAX_COPIED = 20_000_000

REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")
# Keywords whose schemas apply to the value itself, to its items, and to its properties.
FOR_VALUE = ("not", "if", "then", "else")
LISTS_FOR_VALUE = ("allOf", "anyOf", "oneOf")
OBJECTS_FOR_VALUE = ("dependentSchemas", "dependencies")
FOR_ITEMS = ("items", "additionalItems", "contains", "unevaluatedItems")
FOR_PROPERTIES = ("additionalProperties", "unevaluatedProperties")
# Their arguments are values, not schemas.
LITERALS = ("const", "enum", "default", "examples")


def validation_error(value: Any, schema: Json) -> str | None:
    """Return the main reason why `value` does not fit `schema`, with a JSON path; None if it fits.

    A schema that cannot be checked accepts every value, because the model cannot do anything about it: an
    invalid one, references that lead nowhere, patterns that are not supported, too much work.
    """
    compiled = _compile(_Identity(schema))
    if compiled.validator is None or _size_error(value, MAX_WORK):
        return None
    try:
        _Work(schema, compiled.has_ids).count(schema, value)
        if compiled.validator.is_valid(value):
            return None
    # ValueError: a key that is not a string, or half of a surrogate pair.
    except (_Uncheckable, RecursionError, ValueError):
        return None
    return _reason(compiled.validator, value, compiled.size)


def schema_error(schema: Json) -> str | None:
    "Return why this is not a valid JSON schema, with a JSON path; None if it is valid."
    return _compile(_Identity(schema)).error


class _Identity:
    "An object as the key of a cache. Two objects that are equal are different keys."

    def __init__(self, schema: Json) -> None:
        self.schema = schema

    def __hash__(self) -> int:
        return id(self.schema)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Identity) and self.schema is other.schema


class _Compiled(NamedTuple):
    """A schema as jsonschema-rs checks it. There is no `validator` for a schema that cannot be checked.

    `error` is set if the schema is invalid. `size` is the number of values in it. `has_ids` is whether
    references in it may be relative to something else than the whole schema.
    """

    validator: Validator | None = None
    error: str | None = None
    size: int = 0
    has_ids: bool = False


# A message with many calls validates the arguments of each by the same schema.
@lru_cache(maxsize=64)
def _compile(identity: _Identity) -> _Compiled:
    # Only turns with a schema or a call need it. It takes longer to import than the whole plugin.
    from jsonschema_rs import ValidationError, ValidationErrorKind, validator_cls_for

    schema = identity.schema
    if error := _size_error(schema, MAX_SCHEMA):
        return _Compiled(error=error)
    objects = [each for each in _values(schema) if isinstance(each, dict)]
    patterns = {pattern for each in objects if isinstance(pattern := each.get("pattern"), str)}
    patterns |= {pattern for each in objects for pattern in mapping(each.get("patternProperties"))}
    length = sum(len(pattern) * (1 + pattern.count("\\")) for pattern in patterns)
    if len(patterns) > MAX_PATTERNS or length > MAX_PATTERN_LENGTH:
        return _Compiled()
    unsupported = {pattern for pattern in patterns if not _is_supported(pattern)}
    try:
        dialect = validator_cls_for(schema if isinstance(schema.get("$schema"), str) else {})
        validator = dialect(_without_patterns(schema, unsupported), **_options())
    except ValidationError as problem:
        # A reference to another document may be fine elsewhere.
        is_reference = isinstance(problem.kind, ValidationErrorKind.Referencing)
        return _Compiled(error=None if is_reference else _message(problem))
    except ValueError as problem:
        return _Compiled(error=str(problem))
    has_ids = any(isinstance(each.get(name), str) for each in objects[1:] for name in ("$id", "id"))
    return _Compiled(validator, None, sum(1 for _ in _values(schema)), has_ids)


def _options() -> dict[str, Any]:
    "Return the options of all validators. These patterns never backtrack, and nothing is fetched."
    from jsonschema_rs import RegexOptions

    patterns = RegexOptions(MAX_PATTERN_SIZE, MAX_PATTERN_SIZE)
    return {"validate_formats": False, "pattern_options": patterns, "offline": True}


def _is_supported(pattern: str) -> bool:
    from jsonschema_rs import Draft202012Validator

    try:
        Draft202012Validator({"pattern": pattern}, **_options())
    except ValueError:
        return False
    return True


def _without_patterns(schema: Any, patterns: Set[str]) -> Any:
    """Return the schema without what cannot be checked: these patterns, which may look around or refer back.

    Properties whose names one of them may match are not checked either.
    """
    if not patterns:
        return schema
    if isinstance(schema, list):
        return [_without_patterns(each, patterns) for each in schema]
    if not isinstance(schema, dict):
        return schema
    pattern = schema.get("pattern")
    left_out = {"pattern"} if isinstance(pattern, str) and pattern in patterns else set()
    if not patterns.isdisjoint(mapping(schema.get("patternProperties"))):
        left_out |= {"patternProperties", *FOR_PROPERTIES}
    return {
        key: value if key in LITERALS else _without_patterns(value, patterns)
        for key, value in schema.items()
        if key not in left_out
    }


def _reason(validator: Validator, value: Any, schema_size: int) -> str:
    "Return why a value does not fit."
    from jsonschema_rs import ValidationError

    characters = sum(len(each) if isinstance(each, str) else 1 for each in _values(value))
    if characters * schema_size <= MAX_COPIED:
        try:
            validator.validate(value)
        except ValidationError as error:
            return _message(error)
    return "$: it does not fit the schema"


def _message(error: Any) -> str:
    "Return the path and the reason, cut in the middle: they can contain the whole value."
    steps = (
        f"[{step}]" if isinstance(step, int) else f".{step}" if step.isidentifier() else f"[{step!r}]"
        for step in error.instance_path
    )
    reason = f"${''.join(steps)}: {error.message}"
    if len(reason) <= MAX_REASON:
        return reason
    return f"{reason[: MAX_REASON // 2]} … {reason[-MAX_REASON // 2 :]}"


def _size_error(value: Any, max_values: int) -> str | None:
    "Return why a JSON value is too large; None if it has at most so many values, and MAX_DEPTH levels."
    count, level = 1, [value]
    for _ in range(MAX_DEPTH):
        level = [inner for each in level for inner in _children(each)]
        count += len(level)
        if count > max_values:
            return f"it has more than {max_values} values"
        if not level:
            return None
    return "it is nested too deeply"


def _values(value: Any) -> Iterator[Any]:
    "Yield a JSON value and all values in it."
    pending = [value]
    while pending:
        yield (each := pending.pop())
        pending.extend(_children(each))


def _children(value: Any) -> Iterator[Any]:
    return iter(value.values() if isinstance(value, dict) else value if isinstance(value, list) else ())


class _Uncheckable(Exception):
    "The validation would take too much work, or it is not known how much it takes."


class _Work:
    """Counts the keywords that a validation checks. Raises _Uncheckable for more than MAX_WORK.

    References can make a short schema apply to a value more than a billion times. Counting takes no longer
    than MAX_WORK, because what is counted once, for a schema and a value, is not counted again.
    """

    def __init__(self, root: Json, has_ids: bool) -> None:
        self._root = root
        self._has_ids = has_ids
        self._counted: dict[tuple[int, int], int] = {}

    def count(self, schema: Any, value: Any) -> int:
        "Return the number of keywords that are checked for this value and those in it."
        if not isinstance(schema, dict):
            return 1
        key = id(schema), id(value)
        if key not in self._counted:
            self._counted[key] = 0  # for a reference that leads back to this schema, which is not followed
            work = 1 + sum(_entries(argument) for argument in schema.values())
            if isinstance(value, str) and "pattern" in schema:
                work += WORK_PER_CHARACTER * len(value)
            if isinstance(value, dict) and (patterns := mapping(schema.get("patternProperties"))):
                work += WORK_PER_CHARACTER * sum(map(len, value)) * len(patterns)
            for inner_schema, inner_value in self._applied(schema, value):
                work += self.count(inner_schema, inner_value)
                if work > MAX_WORK:
                    break
            if work > MAX_WORK or len(self._counted) > MAX_WORK:
                raise _Uncheckable
            self._counted[key] = work
        return self._counted[key]

    def _applied(self, schema: Json, value: Any) -> Iterator[tuple[Any, Any]]:
        "Yield the schemas in a schema that apply to the value or to a part of it, each with that part."
        for keyword in REFERENCES:
            if keyword in schema:
                yield self._target(schema[keyword]), value
        yield from ((schema[keyword], value) for keyword in FOR_VALUE if keyword in schema)
        for keyword in LISTS_FOR_VALUE:
            yield from ((each, value) for each in sequence(schema.get(keyword)))
        for keyword in OBJECTS_FOR_VALUE:
            yield from ((each, value) for each in mapping(schema.get(keyword)).values())
        if isinstance(value, list):
            for keyword in ("prefixItems", "items"):
                yield from zip(sequence(schema.get(keyword)), value, strict=False)
            inner = [schema[keyword] for keyword in FOR_ITEMS if isinstance(schema.get(keyword), dict)]
            yield from ((each, item) for each in inner for item in value)
        if isinstance(value, dict):
            properties = mapping(schema.get("properties"))
            yield from ((properties[name], value[name]) for name in value if name in properties)
            inner = [schema[keyword] for keyword in FOR_PROPERTIES if isinstance(schema.get(keyword), dict)]
            inner += mapping(schema.get("patternProperties")).values()
            yield from ((each, item) for each in inner for item in value.values())
            yield from ((schema["propertyNames"], name) for name in value if "propertyNames" in schema)

    def _target(self, reference: Any) -> Any:
        if self._has_ids or not isinstance(reference, str) or not (reference + "/").startswith("#/"):
            raise _Uncheckable
        target = self._root
        for segment in reference.split("/")[1:]:
            target = find_child(target, segment)
        return target


def _entries(argument: Any) -> int:
    return len(argument) if isinstance(argument, list | dict) else 1
