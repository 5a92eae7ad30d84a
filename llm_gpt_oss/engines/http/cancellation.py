"""Reads the body of a response so that its reader can be cancelled at any moment, and more than once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import httpx


class CancellableStream(httpx.AsyncByteStream):
    """The bytes of httpx's `stream`.

    When httpcore is cancelled while it reads, it closes the connection. Cancelled once more during that, it
    would keep it. So a task of its own reads each part, and is cancelled only once.
    """

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._reading: asyncio.Task[bytes] | None = None

    async def __aiter__(self) -> AsyncIterator[bytes]:
        parts = aiter(self._stream)
        with suppress(StopAsyncIteration):
            while True:
                self._reading = asyncio.ensure_future(anext(parts))
                try:
                    part = await asyncio.shield(self._reading)
                except asyncio.CancelledError:
                    self._reading.cancel()
                    raise
                yield part

    async def aclose(self) -> None:
        if self._reading:
            await asyncio.wait({self._reading})
            if not self._reading.cancelled():
                self._reading.exception()  # asyncio logs one that nobody looks at
        await self._stream.aclose()
