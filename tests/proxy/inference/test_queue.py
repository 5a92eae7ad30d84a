from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from proxy.http.errors import ApiError
from proxy.inference.queue import Queue


class Clients:
    "Clients that wait for a slot of a queue, and hold it until `finish`."

    def __init__(self, queue: Queue) -> None:
        self._queue = queue
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._done: dict[str, asyncio.Event] = {}
        self.served: list[str] = []

    async def enter(self, name: str) -> None:
        self._done[name] = asyncio.Event()
        self._tasks[name] = asyncio.create_task(self._hold_slot(name))
        await next_loop_iteration()

    async def _hold_slot(self, name: str) -> None:
        async with self._queue.slot():
            self.served.append(name)
            await self._done[name].wait()

    async def finish(self, name: str) -> None:
        self._done[name].set()
        await self._tasks[name]
        await next_loop_iteration()

    async def leave(self, name: str) -> None:
        self._tasks[name].cancel()
        with suppress(asyncio.CancelledError):
            await self._tasks[name]
        await next_loop_iteration()


async def next_loop_iteration() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_first_come_first_served() -> None:
    queue = Queue(2, 10)
    line = Clients(queue)
    for name in "abcd":
        await line.enter(name)
    assert (line.served, queue.running, queue.waiting) == (["a", "b"], 2, 2)
    await line.finish("b")
    assert (line.served, queue.running, queue.waiting) == (["a", "b", "c"], 2, 1)
    await line.finish("a")
    await line.enter("e")
    for name in "cde":
        await line.finish(name)
    assert line.served == [*"abcde"]
    assert (queue.running, queue.waiting) == (0, 0)


async def test_a_cancelled_client_takes_no_slot() -> None:
    queue = Queue(1, 10)
    line = Clients(queue)
    for name in "abcd":
        await line.enter(name)
    await line.leave("b")
    await line.leave("a")
    assert line.served == ["a", "c"]
    line._done["c"].set()
    await line.leave("c")
    await line.finish("d")
    assert (queue.running, queue.waiting) == (0, 0)


async def test_a_client_that_is_cancelled_as_it_gets_its_slot() -> None:
    queue = Queue(1, 10)
    line = Clients(queue)
    for name in "abc":
        await line.enter(name)
    line._done["a"].set()
    await asyncio.sleep(0)
    await line.leave("b")
    assert line.served[-1] == "c"
    await line.finish("c")
    assert (queue.running, queue.waiting) == (0, 0)


async def test_full_queue() -> None:
    queue = Queue(1, 1)
    line = Clients(queue)
    await line.enter("a")
    assert not queue.is_full
    await line.enter("b")
    assert queue.is_full
    with pytest.raises(ApiError) as refused:
        async with queue.slot():
            pytest.fail("there is no place")
    assert (refused.value.status, refused.value.code) == (503, "queue_full")
    assert refused.value.headers == {"Retry-After": "2"}
    await line.leave("b")
    assert not queue.is_full
    await line.finish("a")


async def test_an_error_releases_the_slot() -> None:
    queue = Queue(1, 0)
    with suppress(KeyError):
        async with queue.slot():
            raise KeyError
    assert (queue.running, queue.is_full) == (0, False)
