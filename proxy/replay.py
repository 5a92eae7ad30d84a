"""A turn of the log as the events that it was made of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from llm.parts import Message, StreamEvent

from .ask import Finished


class Pieces:
    "The lengths of the deltas of a turn, part by part."

    def __init__(self) -> None:
        self._lengths: dict[int | None, list[int]] = {}

    def feed(self, event: StreamEvent) -> None:
        if event.type in ("text", "reasoning"):
            self._lengths.setdefault(event.part_index, []).append(len(event.chunk))

    @property
    def lengths(self) -> list[list[int]]:
        return [*self._lengths.values()]


def replayed(
    answer: Sequence[Message],
    *,
    pieces: Sequence[Sequence[int]] | None,
    logprobs: Sequence[Mapping[str, Any]] | None,
    finished: Finished | None,
) -> Iterator[StreamEvent | Finished]:
    raise NotImplementedError
