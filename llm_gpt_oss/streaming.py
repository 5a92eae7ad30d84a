"""One shape for every incremental translation, and the two loops that run it."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from typing import Protocol, TypeVar

In = TypeVar("In", contravariant=True)
Out = TypeVar("Out", covariant=True)
A = TypeVar("A")
B = TypeVar("B")


class Translator(Protocol[In, Out]):
    "A pure object: items in, items out, in order; nothing else happens."

    def feed(self, item: In, /) -> Iterator[Out]:
        "What this item says, as far as that can be told yet."

    def finish(self) -> Iterator[Out]:
        "What was still held back when the items ended."


def translate(items: Iterable[A], translator: Translator[A, B]) -> Iterator[B]:
    for item in items:
        yield from translator.feed(item)
    yield from translator.finish()


async def atranslate(items: AsyncIterable[A], translator: Translator[A, B]) -> AsyncIterator[B]:
    async for item in items:
        for out in translator.feed(item):
            yield out
    for out in translator.finish():
        yield out
