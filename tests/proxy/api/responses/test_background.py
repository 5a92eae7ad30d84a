from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator

import pytest
from support.proxied_engine import proxied
from support.sdk_responses import Endless

from llm_gpt_oss.completion import Completion, Done, Piece
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


class ClosesSlowly(Endless):
    "Needs a moment to close its connection. `closed` counts the answers that it closed to the end."

    closed = 0

    async def complete(self, completion: Completion) -> AsyncGenerator[Piece | Done, None]:
        try:
            async for piece in super().complete(completion):
                yield piece
        finally:
            await asyncio.sleep(0.1)
            self.closed += 1


@pytest.mark.parametrize("between", [0, 0.02, 0.15])
async def test_a_response_that_is_cancelled_twice(between: float, caplog: pytest.LogCaptureFixture) -> None:
    "By two requests, or by one and the stop of the server."
    engine = ClosesSlowly()
    body = {"model": "gpt-oss", "input": "Hi", "background": True}

    async with proxied(engine) as proxy:
        id = (await proxy.post("/v1/responses", body)).json()["id"]
        await engine.silent.wait()

        async def cancel_after(seconds: float) -> str:
            await asyncio.sleep(seconds)
            answer = await proxy.post(f"/v1/responses/{id}/cancel", {})
            return str(answer.json()["status"])

        statuses = await asyncio.gather(cancel_after(0), cancel_after(between))
        assert (statuses, engine.closed) == (["cancelled", "cancelled"], 1)
    assert [turn["status"] for turn in proxy.turns()] == [499]
    assert caplog.records == []
