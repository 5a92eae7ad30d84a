"""Replaces SQL functions that could run for days, so that a query cannot freeze the server.

The time of SQLite's own `instr`, `replace` and `trim` grows with the product of the lengths of two texts, and
the time limit of a statement does not interrupt a function.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import TypeAlias, TypeVar

Value: TypeAlias = str | bytes | int | float | None
Part = TypeVar("Part", str, bytes)

# The longest text or blob that is searched for, and the longest set of characters that is trimmed.
MAX_PART = 1000
# The longest text that `replace` makes, in characters.
MAX_RESULT = 64 * 1024 * 1024
# Its time grows with the square of the number of keys. Nothing here needs it.
DENIED = {"json_patch"}


def add_functions(connection: sqlite3.Connection) -> None:
    """Replace SQLite's `instr`, `replace` and two-argument `trim` with functions that return the same.

    They interrupt the statement if the part is longer than MAX_PART, or the result of `replace` too long.
    """

    def interrupting(function: Callable[..., Value]) -> Callable[..., Value]:
        def call(*arguments: Value) -> Value:
            if None in arguments:
                return None
            try:
                return function(*arguments)
            except _TooLong:  # sqlite3 would print an exception
                connection.interrupt()
                return None

        return call

    functions: dict[tuple[str, int], Callable[..., Value]] = {
        ("instr", 2): _instr,
        ("replace", 3): _replace,
        ("trim", 2): lambda text, characters: _text(text).strip(_checked(_text(characters))),
        ("ltrim", 2): lambda text, characters: _text(text).lstrip(_checked(_text(characters))),
        ("rtrim", 2): lambda text, characters: _text(text).rstrip(_checked(_text(characters))),
    }
    for (name, arguments), function in functions.items():
        connection.create_function(name, arguments, interrupting(function), deterministic=True)


class _TooLong(Exception):
    "A text is too long to be searched or made."


def _instr(text: Value, part: Value) -> int:
    if isinstance(text, bytes) and isinstance(part, bytes):
        return text.find(_checked(part)) + 1
    return _text(text).find(_checked(_text(part))) + 1


def _replace(text: Value, part: Value, by: Value) -> str:
    text, part, by = _text(text), _checked(_text(part)), _text(by)
    if not part:
        return text
    if len(text) + text.count(part) * (len(by) - len(part)) > MAX_RESULT:
        raise _TooLong
    return text.replace(part, by)


def _text(value: Value) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def _checked(part: Part) -> Part:
    if len(part) > MAX_PART:
        raise _TooLong
    return part
