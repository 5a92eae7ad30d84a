"""Replaces SQL functions that could run for days, so that a query cannot freeze the server.

The time of SQLite's own `instr`, `replace` and `trim` grows with the product of the lengths of two texts, and
the time limit of a statement does not interrupt a function.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias, TypeVar

Value: TypeAlias = str | bytes | int | float | None
Part = TypeVar("Part", str, bytes)

# The longest text or blob that is searched for, and the longest set of characters that is trimmed.
MAX_PART = 1000
# The longest text that is searched, matched or trimmed, and that `replace` makes, in characters. No request's
# body is longer. Python searches it without letting other threads run, for up to a third of a second.
MAX_TEXT = 32 * 1024 * 1024
# The longest blob that is read as text: to replace bytes that are no text takes much longer.
MAX_BLOB = 4 * 1024 * 1024
# The most that LIKE and GLOB may compare in one text: its length times that of the pattern. It takes a third
# of a second.
MAX_MATCH = 256 * 1024 * 1024
# Its time grows with the square of the number of keys. Nothing here needs it.
DENIED = {"json_patch"}


class BoundedConnection(sqlite3.Connection):
    """A connection whose `instr`, `replace`, `like`, `glob` and two-argument `trim` end soon.

    They return the same as SQLite's. They interrupt the statement if the part is longer than MAX_PART, a text
    or the result of `replace` longer than MAX_TEXT, or a text too long for its pattern.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        # SQLite's own `like` and `glob`, which a connection cannot call once they are replaced there.
        self._plain = sqlite3.connect(":memory:", check_same_thread=False)
        functions: dict[tuple[str, int], Callable[..., Value]] = {
            ("instr", 2): _instr,
            ("replace", 3): _replace,
            ("like", 2): partial(self._match, "select ? like ?"),
            ("like", 3): partial(self._match, "select ? like ? escape ?"),
            ("glob", 2): partial(self._match, "select ? glob ?"),
            ("trim", 2): lambda text, characters: _text(text).strip(_checked(_text(characters))),
            ("ltrim", 2): lambda text, characters: _text(text).lstrip(_checked(_text(characters))),
            ("rtrim", 2): lambda text, characters: _text(text).rstrip(_checked(_text(characters))),
        }
        for (name, count), function in functions.items():
            self.create_function(name, count, partial(self._call, function), deterministic=True)

    def close(self) -> None:
        super().close()
        self._plain.close()

    def _call(self, function: Callable[..., Value], *arguments: Value) -> Value:
        if None in arguments:
            return None
        try:
            return function(*arguments)
        except (_TooLong, sqlite3.Error):  # sqlite3 would print an exception
            self.interrupt()
            return None

    def _match(self, sql: str, pattern: Value, text: Value, *escape: Value) -> Value:
        if len(_text(pattern)) * len(_text(text)) > MAX_MATCH:
            raise _TooLong
        result: int | None
        ((result,),) = self._plain.execute(sql, [text, pattern, *escape])
        return result


class _TooLong(Exception):
    "A text is too long to be searched or made."


def _instr(text: Value, part: Value) -> int:
    if isinstance(text, bytes) and isinstance(part, bytes):
        return _checked(text, MAX_TEXT).find(_checked(part)) + 1
    return _text(text).find(_checked(_text(part))) + 1


def _replace(text: Value, part: Value, by: Value) -> str:
    text, part, by = _text(text), _checked(_text(part)), _text(by)
    if not part:
        return text
    if len(text) + text.count(part) * (len(by) - len(part)) > MAX_TEXT:
        raise _TooLong
    return text.replace(part, by)


def _text(value: Value) -> str:
    if isinstance(value, bytes):
        return _checked(value, MAX_BLOB).decode(errors="replace")
    return _checked(str(value), MAX_TEXT)


def _checked(part: Part, limit: int = MAX_PART) -> Part:
    if len(part) > limit:
        raise _TooLong
    return part
