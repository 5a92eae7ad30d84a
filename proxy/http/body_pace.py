"""Limits how slowly a body may arrive, because a slow body occupies memory and a connection."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator

from .errors import ApiError

# Seconds that any body may take.
FREE_SECONDS = 60
# Bytes that must arrive in each second after that, on average over the whole body.
BYTES_PER_SECOND = 256 * 2**10
TOO_SLOW = f"The body arrived too slowly: it took longer than a second for {BYTES_PER_SECOND // 2**10} KiB."


class BodyPace:
    "The pace of one body, from now on."

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._size = 0

    def is_too_slow(self, size: int) -> bool:
        "Whether the body is too slow, now that so many more bytes of it have arrived."
        self._size += size
        return time.monotonic() - self._began > FREE_SECONDS + self._size / BYTES_PER_SECOND


async def at_pace(parts: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    "Yield the parts. Raises ApiError if they arrive too slowly. Then the connection is closed."
    pace = BodyPace()
    async for part in parts:
        if pace.is_too_slow(len(part)):
            raise ApiError(408, TOO_SLOW, code="request_timeout", headers={"Connection": "close"})
        yield part
