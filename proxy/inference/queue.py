"""How many model calls run at once, and how many may wait."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ..http.errors import SERVER, ApiError


class Queue:
    "First come, first served: Ollama itself lets those who wait in as it pleases."

    def __init__(self, running: int, waiting: int) -> None:
        self._places = asyncio.Semaphore(running)
        self._limit = waiting
        self.running = 0
        self.waiting = 0

    @property
    def is_full(self) -> bool:
        return self._places.locked() and self.waiting >= self._limit

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        "Raises ApiError where all places are taken, those to wait in too."
        if self.is_full:
            message = f"{self.waiting} requests are waiting already. Try again in a moment."
            raise ApiError(503, message, SERVER, "queue_full", headers={"Retry-After": "2"})
        self.waiting += 1
        try:
            await self._places.acquire()
        finally:
            self.waiting -= 1
        self.running += 1
        try:
            yield
        finally:
            self.running -= 1
            self._places.release()
