"""The headers that clients of OpenAI's and Anthropic's APIs expect, and one that names the ignored fields."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .errors import error_response

_REQUEST_ID = re.compile(r"[\w.:-]{1,128}", re.ASCII)
# Names of fields may have any character. A header may not, and a comma separates two names.
_UNSAFE = re.compile(r"[^\w.\[\]-]", re.ASCII)


class ResponseHeaders:
    """ASGI middleware that adds a request id, the client's own if it sent one, and the time until the answer
    began. `x-llm-ignored` names the fields in `request.state.ignored`, `x-llm-turn` is
    `request.state.turn_id`.

    `answer_began` is called with the scope and the status of each answer when it begins.

    An error that nothing else handled is answered here, so that the answer has these headers too, and raised
    again for the server's own log.
    """

    def __init__(self, app: ASGIApp, answer_began: Callable[[Scope, int], None]) -> None:
        self._app = app
        self._answer_began = answer_began

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started_at = time.perf_counter()
        state = scope.setdefault("state", {})
        sent_id = Headers(scope=scope).get("x-request-id", "")
        request_id = sent_id if _REQUEST_ID.fullmatch(sent_id) else f"req_{secrets.token_hex(16)}"
        # Anthropic's errors have it in their body.
        state["request_id"] = request_id
        started = False

        async def send_with_headers(message: Message) -> None:
            nonlocal started
            if not started:
                started = True
                self._answer_began(scope, message["status"])
                headers = MutableHeaders(scope=message)
                headers["x-request-id"] = request_id
                headers["request-id"] = request_id  # Anthropic's name for it
                headers["openai-processing-ms"] = str(round((time.perf_counter() - started_at) * 1000))
                headers["openai-version"] = "2020-10-01"
                if turn_id := state.get("turn_id"):
                    headers["x-llm-turn"] = turn_id
                if ignored := state.get("ignored"):
                    headers["x-llm-ignored"] = ", ".join(_UNSAFE.sub("_", path) for path in ignored)
            await send(message)

        try:
            await self._app(scope, receive, send_with_headers)
        except Exception as error:
            if not started:
                await error_response(error, scope)(scope, receive, send_with_headers)
            raise
