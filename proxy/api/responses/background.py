"""Background responses, which are generated without a client: it can poll, follow or cancel them.

A response is read from memory while it is generated, and from the log once it has ended. Other processes of
the same server find it by its file in the log's spool folder, and cancel it by creating another file there.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress
from pathlib import Path
from typing import Annotated

from fastapi import Depends, Request

from ...http.server_stop import STOPPED
from ...log.spool import POLL_SECONDS
from .answer import ResponseRun
from .item_stream import Event


class Background:
    "One response that is being generated. `is_cancelled` is whether another process has cancelled it."

    def __init__(self, answer: ResponseRun, is_cancelled: Callable[[], bool]) -> None:
        self._answer = answer
        self._is_cancelled = is_cancelled
        self._events: list[Event] = []
        self._changed = asyncio.Event()
        self._ended = False
        self._cancelled = False
        self.task = asyncio.ensure_future(self._collect())
        self._watcher = asyncio.ensure_future(self._watch())

    async def begun(self) -> None:
        "Wait until the response has begun. Raises errors in the request."
        begun = asyncio.ensure_future(self._answer.begun.wait())
        await asyncio.wait({begun, self.task}, return_when=asyncio.FIRST_COMPLETED)
        if not begun.done():
            begun.cancel()
            self.task.result()

    async def follow(self, after: int) -> AsyncGenerator[Event, None]:
        "Yield the events after number `after`, to the end. Closing this does not stop the response."
        next_number = after + 1
        while True:
            # By index, not a copy of the list: events may be added while one is yielded.
            while next_number < len(self._events):
                yield self._events[next_number]
                next_number += 1
            if self._ended:
                return
            await self._changed.wait()

    async def cancel(self, reason: str) -> None:
        "Cancel the response, and return when its turn is in the log."
        if not self._cancelled:
            # A second time would interrupt what logs the turn.
            self._cancelled = True
            self._answer.set_cancel_reason(reason)
            self.task.cancel()
        await asyncio.wait({self.task})

    async def _collect(self) -> None:
        try:
            async with aclosing(self._answer.events(may_reject=False)) as events:
                async for event in events:
                    self._publish(event)
        except asyncio.CancelledError:
            self._publish(*self._answer.cancelled_events())
        finally:
            self._watcher.cancel()
            self._ended = True
            self._publish()

    def _publish(self, *events: Event) -> None:
        self._events += events
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def _watch(self) -> None:
        while not self._is_cancelled():  # noqa: ASYNC110 - another process creates the file
            await asyncio.sleep(POLL_SECONDS)
        await self.cancel("The client cancelled it.")


class Backgrounds:
    """The background responses of this process, by their turn ids.

    `folder` is the log's spool folder, which all processes of this server share.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._running: dict[str, Background] = {}

    def start(self, answer: ResponseRun) -> Background:
        cancel_file = self._cancel_file(answer.turn_id)
        _delete(cancel_file)
        background = Background(answer, cancel_file.exists)
        self._running[answer.turn_id] = background
        background.task.add_done_callback(lambda _: self._remove(answer.turn_id))
        return background

    def get(self, turn_id: str) -> Background | None:
        return self._running.get(turn_id)

    async def cancel(self, turn_id: str) -> None:
        "Cancel a response of any process. In another process it ends within POLL_SECONDS."
        if background := self._running.get(turn_id):
            await background.cancel("The client cancelled it.")
            return
        with suppress(OSError):
            self._cancel_file(turn_id).touch(mode=0o600)

    async def close(self) -> None:
        for background in [*self._running.values()]:
            await background.cancel(STOPPED)

    def _remove(self, turn_id: str) -> None:
        del self._running[turn_id]
        _delete(self._cancel_file(turn_id))

    def _cancel_file(self, turn_id: str) -> Path:
        return self._folder / f"{turn_id}.cancel"


def _delete(path: Path) -> None:
    with suppress(OSError):  # a folder that cannot be written has no such file
        path.unlink()


async def _backgrounds(request: Request) -> Backgrounds:
    backgrounds: Backgrounds = request.app.state.backgrounds
    return backgrounds


BackgroundsDep = Annotated[Backgrounds, Depends(_backgrounds)]
