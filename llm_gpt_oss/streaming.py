"""Incremental translation of one stream into another: the protocol, and its sync and async loops.

An async loop over many items should pause now and then: see `BusyTime`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from typing import Protocol, TypeVar

In = TypeVar("In", contravariant=True)
Out = TypeVar("Out", covariant=True)
A = TypeVar("A")
B = TypeVar("B")

# Seconds of work between two pauses.
MAX_BUSY = 0.02


class Translator(Protocol[In, Out]):
    """Translates a stream of items into another one, in order.

    It has no input or output of its own, so the same translator serves sync and async streams.
    """

    def feed(self, item: In, /) -> Iterable[Out]:
        "Return the output for this item, as far as it is known yet."

    def finish(self) -> Iterable[Out]:
        "Return the remaining output when the input has ended."


def translate(items: Iterable[A], translator: Translator[A, B]) -> Iterator[B]:
    "Yield what the translator makes of the items."
    for item in items:
        yield from translator.feed(item)
    yield from translator.finish()


async def atranslate(items: AsyncIterable[A], translator: Translator[A, B]) -> AsyncIterator[B]:
    "Yield what the translator makes of the items of an async stream."
    async for item in items:
        for output in translator.feed(item):
            yield output
    for output in translator.finish():
        yield output


class BusyTime:
    """The time since a task last let others run.

    A task that reads what is there already, such as thousands of events that one line of an engine completes,
    never waits. It should await `pause` after each of them.
    """

    def __init__(self) -> None:
        self._since = time.perf_counter()

    async def pause(self) -> None:
        "Let others run if the time is long."
        if time.perf_counter() - self._since >= MAX_BUSY:
            await asyncio.sleep(0)
            self._since = time.perf_counter()
