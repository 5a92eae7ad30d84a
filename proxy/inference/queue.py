"""Limits how many model calls run at the same time, and how many wait."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ..http.errors import SERVER, ApiError


class Queue:
    """Lets `max_running` model calls run at once and `max_waiting` more wait.

    Calls run in the order in which they came. Ollama has a queue of its own, but takes from it in any order.
    """

    def __init__(self, max_running: int, max_waiting: int) -> None:
        self._slots = asyncio.Semaphore(max_running)
        self._max_waiting = max_waiting
        self.running = 0
        self.waiting = 0

    @property
    def is_full(self) -> bool:
        return self._slots.locked() and self.waiting >= self._max_waiting

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        "Wait for a slot and hold it. Raises ApiError if the queue is full."
        if self.is_full:
            message = f"{self.waiting} requests are waiting already. Try again in a moment."
            raise ApiError(503, message, SERVER, "queue_full", headers={"Retry-After": "2"})
        self.waiting += 1
        try:
            await self._slots.acquire()
        finally:
            self.waiting -= 1
        self.running += 1
        try:
            yield
        finally:
            self.running -= 1
            self._slots.release()
