from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from proxy.api.responses.background import Background
from proxy.api.responses.item_stream import Event

EVENTS = [{"type": "response.output_text.delta", "sequence_number": n} for n in range(9)]


class Told:
    "An answer whose events come one whenever something else has had its turn."

    def __init__(self) -> None:
        self.begun = asyncio.Event()

    async def events(self, rejection_seconds: float) -> AsyncIterator[Event]:
        for event in EVENTS:
            await asyncio.sleep(0)
            yield event


async def test_a_slow_reader_misses_nothing_that_comes_while_it_takes_an_event() -> None:
    background = Background(Told(), lambda: False)  # type: ignore[arg-type]
    taken = []
    async for event in background.follow(1):
        taken.append(event)
        await asyncio.sleep(0.001)
    assert taken == EVENTS[2:]
