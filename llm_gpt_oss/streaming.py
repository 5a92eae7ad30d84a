"""Incremental translation of one stream into another: the protocol, and its sync and async loops."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from typing import Protocol, TypeVar

In = TypeVar("In", contravariant=True)
Out = TypeVar("Out", covariant=True)
A = TypeVar("A")
B = TypeVar("B")


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
