"""What OpenAI's clients expect at the head of every answer."""

from __future__ import annotations

import re
import secrets
import time

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .errors import error_response

_REQUEST_ID = re.compile(r"[\w.:-]{1,128}", re.ASCII)
# What a page of another origin may read of them.
EXPOSED = ("x-request-id", "openai-processing-ms", "openai-version", "retry-after", "x-should-retry")


class ResponseHeaders:
    """ASGI middleware: a request id, the client's own if it sent one, and how long the answer took to begin.

    An error that nothing else answered is answered here, so that it has them too, and goes on to the server's
    own output.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        sent = Headers(scope=scope).get("x-request-id", "")
        request_id = sent if _REQUEST_ID.fullmatch(sent) else f"req_{secrets.token_hex(16)}"
        begun = False

        async def headed(message: Message) -> None:
            nonlocal begun
            begun = True
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["x-request-id"] = request_id
                headers["openai-processing-ms"] = str(round((time.perf_counter() - started) * 1000))
                headers["openai-version"] = "2020-10-01"
            await send(message)

        try:
            await self._app(scope, receive, headed)
        except Exception as error:
            if not begun:
                await error_response(error)(scope, receive, headed)
            raise
