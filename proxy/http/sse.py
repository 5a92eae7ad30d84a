"""Server-sent events: a response that streams them, and their form as bytes."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Any

from pydantic_core import to_json
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from llm_gpt_oss.errors import GptOssError

from .disconnect import run_until_first_ends, wait_for_disconnect
from .errors import ApiError
from .server_stop import is_cut, stopped_error

DONE = b"data: [DONE]\n\n"
# A comment. Clients ignore it, but it keeps proxies from closing a connection that seems idle.
KEEP_ALIVE = b": keep-alive\n\n"
# The second one keeps nginx from collecting frames: https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_buffering
STREAM_HEADERS = {"cache-control": "no-cache", "x-accel-buffering": "no"}

logger = logging.getLogger(__name__)


def data_frame(event: dict[str, Any]) -> bytes:
    # json.dumps() would take five times as long, for each token.
    return b"data: " + to_json(event) + b"\n\n"


def named_frame(event: dict[str, Any]) -> bytes:
    "The event with its type as the name of the frame."
    return f"event: {event['type']}\n".encode() + data_frame(event)


class EventStream(Response):
    """A streamed answer: `frames` as bytes, each sent in a write of its own.

    If no frame comes for `keep_alive` seconds, `keep_alive_frame` is sent. The answer starts with the first
    frame of either kind, or at the end of `frames`. An error before that is raised, so it can still be an
    HTTP status. A later one becomes the last frame, made by `error_frame`. The next frame is read from
    `frames` only after the one before was sent. `frames` is closed as soon as the client disconnects, or the
    server stops and cuts the stream, which is an error too.
    """

    def __init__(
        self,
        frames: AsyncGenerator[bytes, None],
        error_frame: Callable[[Exception], bytes],
        keep_alive: float,
        keep_alive_frame: bytes = KEEP_ALIVE,
    ) -> None:
        super().__init__(media_type="text/event-stream", headers=STREAM_HEADERS)
        del self.headers["content-length"]
        self._frames = frames
        self._error_frame = error_frame
        self._keep_alive_seconds = keep_alive
        self._keep_alive_frame = keep_alive_frame
        self._started = False
        self._last_sent = 0.0
        self._lock = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # Three tasks for the whole stream: a time limit for each frame would cost more than the frame.
        steps = self._write(send), wait_for_disconnect(receive), self._keep_alive(send)
        try:
            await run_until_first_ends(*steps)
        except asyncio.CancelledError as cancelled:
            if not is_cut(cancelled):
                raise
            await self._end_with(stopped_error(), send)

    async def _write(self, send: Send) -> None:
        async with aclosing(self._frames) as frames:
            try:
                async for frame in frames:
                    await self._put(send, frame)
            except Exception as error:
                if self._started and not isinstance(error, ApiError | GptOssError):
                    logger.error("An answer broke off", exc_info=error)
                await self._end_with(error, send)
                return
        await self._put(send, b"", more=False)

    async def _end_with(self, error: Exception, send: Send) -> None:
        if not self._started:
            raise error
        await self._put(send, self._error_frame(error))
        await self._put(send, b"", more=False)

    async def _keep_alive(self, send: Send) -> None:
        self._last_sent = time.monotonic()
        while True:
            await asyncio.sleep(self._last_sent + self._keep_alive_seconds - time.monotonic())
            if time.monotonic() >= self._last_sent + self._keep_alive_seconds:
                await self._put(send, self._keep_alive_frame)

    async def _put(self, send: Send, frame: bytes, *, more: bool = True) -> None:
        self._last_sent = time.monotonic()
        async with self._lock:
            if not self._started:
                self._started = True
                start = {"type": "http.response.start", "status": self.status_code}
                await send({**start, "headers": self.raw_headers})
            await send({"type": "http.response.body", "body": frame, "more_body": more})
