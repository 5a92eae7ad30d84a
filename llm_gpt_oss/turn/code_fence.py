"""Takes a Markdown fence off a JSON answer while it is streamed.

An engine that constrains the answer to a schema lets no fence through. Some engines ignore the schema.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Generic, Protocol, TypeVar


class HasText(Protocol):
    @property
    def text(self) -> str: ...


T = TypeVar("T", bound=HasText)

FENCE = "```"
# What may precede JSON: a fence with the name of a language, on a line of its own.
OPENING = re.compile(r"\s{0,20}```[^\n`]{0,20}\n")
MAY_OPEN = re.compile(r"\s{0,20}(`{1,2}|```[^\n`]{0,20})?")
# What a fence at the end consists of. JSON does not end with a backtick.
CLOSING = "` \t\r\n"
MAX_CLOSING = 40


class CodeFence(Generic[T]):
    """Passes on pieces of a JSON text, without the fence around it if there is one.

    `was_open` says whether there is one. A piece that may be part of a fence waits for the next ones.
    """

    def __init__(self) -> None:
        self.was_open = False
        self._started = False
        self._waiting: list[T] = []

    def feed(self, piece: T, /) -> Iterator[T]:
        self._waiting.append(piece)
        text = "".join(each.text for each in self._waiting)
        if not self._started:
            if MAY_OPEN.fullmatch(text):
                return
            self._started = True
            if opening := OPENING.match(text):
                self.was_open = True
                self._waiting = _cut(self._waiting, opening.end())
                text = text[opening.end() :]
        if not (self.was_open and 0 < len(text) - len(text.rstrip(CLOSING)) <= MAX_CLOSING):
            yield from self._release()

    def finish(self) -> Iterator[T]:
        "Pass on what waited, without the fence that ends the text."
        text = "".join(each.text for each in self._waiting)
        if self.was_open and FENCE in text[(end := len(text.rstrip(CLOSING))) :]:
            self._waiting = _cut(self._waiting, 0, end)
        yield from self._release()

    def _release(self) -> Iterator[T]:
        waiting, self._waiting = self._waiting, []
        yield from waiting


def _cut(pieces: list[T], start: int, end: int | None = None) -> list[T]:
    "The pieces of the characters from `start` to `end`."
    kept, position = [], 0
    for piece in pieces:
        size = len(piece.text)
        stop = size if end is None else min(size, end - position)
        if text := piece.text[max(0, start - position) : max(0, stop)]:
            kept.append(replace(piece, text=text))  # type: ignore[type-var]
        position += size
    return kept
