"""Server-sent events: one event to bytes, each in a write of its own, `\\n` only."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Any

from pydantic_core import to_json
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from llm_gpt_oss.errors import GptOssError

from .disconnect import run_until_first_ends
from .errors import ApiError

DONE = b"data: [DONE]\n\n"
# A comment: ignored by every client, but it keeps the connection from being taken for dead.
KEEP_ALIVE = b": keep-alive\n\n"

logger = logging.getLogger(__name__)


def data_frame(event: dict[str, Any]) -> bytes:
    # Not json.dumps(): a token's event takes that five times as long.
    return b"data: " + to_json(event) + b"\n\n"


def named_frame(event: dict[str, Any]) -> bytes:
    "With the event's type as its name."
    return f"event: {event['type']}\n".encode() + data_frame(event)


class EventStream(Response):
    """The frames of an answer, with a comment wherever nothing comes for `seconds`.

    It begins with the first frame or the first comment, and at its end if there is neither. What fails before
    that is raised, and can still be an HTTP status; what fails later becomes the last frame, made by
    `failed`. A frame is asked for when the client has taken the one before it. When the client leaves, the
    frames are closed, at once.
    """

    def __init__(
        self, frames: AsyncGenerator[bytes, None], failed: Callable[[Exception], bytes], seconds: float
    ) -> None:
        super().__init__(media_type="text/event-stream", headers={"cache-control": "no-cache"})
        del self.headers["content-length"]
        self._frames = frames
        self._failed = failed
        self._seconds = seconds
        self._begun = False
        self._spoke = False
        self._turn = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._send = send
        # Not one task a frame, with a time limit: that costs more than the frame.
        await run_until_first_ends(self._write(), _left(receive), self._keep_alive())

    async def _write(self) -> None:
        async with aclosing(self._frames) as frames:
            try:
                async for frame in frames:
                    await self._put(frame)
            except Exception as error:
                if not self._begun:
                    raise
                if not isinstance(error, ApiError | GptOssError):
                    logger.error("An answer broke off", exc_info=error)
                await self._put(self._failed(error))
        await self._put(b"", more=False)

    async def _keep_alive(self) -> None:
        while True:
            await asyncio.sleep(self._seconds)
            if not self._spoke:
                await self._put(KEEP_ALIVE)
            self._spoke = False

    async def _put(self, frame: bytes, *, more: bool = True) -> None:
        self._spoke = True
        async with self._turn:
            if not self._begun:
                self._begun = True
                start = {"type": "http.response.start", "status": self.status_code}
                await self._send({**start, "headers": self.raw_headers})
            await self._send({"type": "http.response.body", "body": frame, "more_body": more})


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
