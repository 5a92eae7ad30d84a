"""Responses that go on without a client: polled, followed from any event on, cancelled.

A response is told from memory while it goes on, and from the log when it is over. Another process of the same
server knows of it by its file in the spool, and asks for its end by another one.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress
from pathlib import Path

from ...log.spool import POLL_SECONDS
from .answer import ResponseRun
from .item_stream import Event


class Background:
    "One response under way. `unwanted` tells whether another process wants its end."

    def __init__(self, answer: ResponseRun, unwanted: Callable[[], bool]) -> None:
        self._answer = answer
        self._unwanted = unwanted
        self._events: list[Event] = []
        self._more = asyncio.Event()
        self._over = False
        self.task = asyncio.ensure_future(self._collect())
        self._watch = asyncio.ensure_future(self._look())

    async def begun(self) -> None:
        "Raises what is wrong with the request."
        begun = asyncio.ensure_future(self._answer.begun.wait())
        await asyncio.wait({begun, self.task}, return_when=asyncio.FIRST_COMPLETED)
        if not begun.done():
            begun.cancel()
            self.task.result()

    async def follow(self, after: int) -> AsyncGenerator[Event, None]:
        "The events behind number `after`, to the end. Whoever stops reading stops nothing."
        next_one = after + 1
        while True:
            # More come while one is taken, so a copy of the list would miss them.
            while next_one < len(self._events):
                yield self._events[next_one]
                next_one += 1
            if self._over:
                return
            await self._more.wait()

    async def cancel(self, why: str) -> None:
        "Returns when the turn is in the log."
        self._answer.cancelled(why)
        self.task.cancel()
        await asyncio.wait({self.task})

    async def _collect(self) -> None:
        try:
            async with aclosing(self._answer.events(refused_within=0)) as events:
                async for event in events:
                    self._put(event)
        except asyncio.CancelledError:
            self._put(*self._answer.end())
        finally:
            self._watch.cancel()
            self._over = True
            self._put()

    def _put(self, *events: Event) -> None:
        self._events += events
        more, self._more = self._more, asyncio.Event()
        more.set()

    async def _look(self) -> None:
        while not self._unwanted():  # noqa: ASYNC110 - what is looked for is made by another process
            await asyncio.sleep(POLL_SECONDS)
        await self.cancel("The client cancelled it.")


class Backgrounds:
    "Those of this process, by turn. `folder` is the log's spool, where all processes look."

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._running: dict[str, Background] = {}

    def start(self, answer: ResponseRun) -> Background:
        mark = self._mark(answer.turn_id)
        mark.unlink(missing_ok=True)
        background = Background(answer, mark.exists)
        self._running[answer.turn_id] = background
        background.task.add_done_callback(lambda _: self._over(answer.turn_id))
        return background

    def get(self, turn_id: str) -> Background | None:
        return self._running.get(turn_id)

    async def cancel(self, turn_id: str) -> None:
        "In whatever process; in another it ends within LOOK seconds."
        if background := self._running.get(turn_id):
            await background.cancel("The client cancelled it.")
            return
        with suppress(OSError):
            self._mark(turn_id).touch(mode=0o600)

    async def close(self) -> None:
        for background in [*self._running.values()]:
            await background.cancel("The server was stopped.")

    def _over(self, turn_id: str) -> None:
        del self._running[turn_id]
        self._mark(turn_id).unlink(missing_ok=True)

    def _mark(self, turn_id: str) -> Path:
        return self._folder / f"{turn_id}.cancel"
