from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from proxy.api.responses.background import Background
from proxy.api.responses.item_stream import Event

EVENTS = [{"type": "response.output_text.delta", "sequence_number": n} for n in range(9)]


class SlowAnswer:
    "An answer that lets other tasks run before each event."

    def __init__(self) -> None:
        self.begun = asyncio.Event()

    async def events(self, may_reject: bool) -> AsyncIterator[Event]:
        for event in EVENTS:
            await asyncio.sleep(0)
            yield event


async def test_a_slow_follower_misses_no_events() -> None:
    background = Background(SlowAnswer(), lambda: False)  # type: ignore[arg-type]
    received = []
    async for event in background.follow(1):
        received.append(event)
        await asyncio.sleep(0.001)
    assert received == EVENTS[2:]
