"""Which values a type of OpenAI's SDK allows.

The SDK types its requests with TypedDicts, for the type checker alone: nothing in it checks a value.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Literal, Union, get_args, get_origin

from typing_extensions import Required, get_type_hints, is_typeddict

# A value of each JSON type. No closed list of the SDK has this string.
JSON_VALUES: list[Any] = [True, 7, 1.5, "no such value", ["no such value"], {"no": "such key"}]


def required_keys(typed_dict: Any) -> set[str]:
    "`__required_keys__` is empty: the SDK's annotations are strings, and Python finds no Required in those."
    hints = get_type_hints(typed_dict, include_extras=True)
    return {key for key, hint in hints.items() if get_origin(hint) is Required}


def allows(hint: Any, value: Any) -> bool:
    if is_typeddict(hint):
        hints = get_type_hints(hint)
        return (
            isinstance(value, dict)
            and required_keys(hint) <= value.keys()
            and all(allows(hints[key], inner) for key, inner in value.items() if key in hints)
        )
    if get_origin(hint) is Union:
        return any(allows(alternative, value) for alternative in get_args(hint))
    if get_origin(hint) is Literal:
        return value in get_args(hint)
    if get_origin(hint) in (list, Iterable):
        (inner_hint,) = get_args(hint)
        return isinstance(value, list) and all(allows(inner_hint, inner) for inner in value)
    # Exactly, because Python's bool is an int. The SDK's dictionaries hold values of any type.
    return type(value) is (get_origin(hint) or hint)


def allowed_values(hint: Any) -> Iterator[Any]:
    "At least one value for each alternative of the type: all values of closed lists, and of each key."
    if is_typeddict(hint):
        hints = get_type_hints(hint)
        smallest = {key: next(allowed_values(hints[key])) for key in sorted(required_keys(hint))}
        yield smallest
        for key, inner_hint in hints.items():
            yield from ({**smallest, key: value} for value in allowed_values(inner_hint))
    elif get_origin(hint) is Union:
        for alternative in get_args(hint):
            yield from allowed_values(alternative)
    elif get_origin(hint) is Literal:
        yield from get_args(hint)
    elif get_origin(hint) in (list, Iterable):
        (inner_hint,) = get_args(hint)
        yield []
        yield from ([value] for value in allowed_values(inner_hint))
    else:
        yield next(value for value in [None, *JSON_VALUES] if allows(hint, value))


def refused_values(hint: Any) -> Iterator[Any]:
    "Values of each JSON type that the type does not allow, in its place and in that of each key."
    candidates = [*JSON_VALUES, *_with_wrong_keys(hint)]
    yield from (value for value in candidates if not allows(hint, value))


def _with_wrong_keys(hint: Any) -> Iterator[Any]:
    if is_typeddict(hint):
        hints = get_type_hints(hint)
        smallest = next(allowed_values(hint))
        for key, inner_hint in hints.items():
            yield from ({**smallest, key: value} for value in refused_values(inner_hint))
    elif get_origin(hint) in (list, Iterable):
        (inner_hint,) = get_args(hint)
        yield from ([value] for value in refused_values(inner_hint))
    elif get_origin(hint) is Union:
        for alternative in get_args(hint):
            yield from _with_wrong_keys(alternative)
