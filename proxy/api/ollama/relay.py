"""One request on its way to Ollama and back."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress

from fastapi import Request
from fastapi.responses import JSONResponse, Response
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from llm_gpt_oss.engines.ollama.forward import ForwardedRequest, forward
from llm_gpt_oss.errors import EngineUnreachable, GptOssError

from ...http.errors import ApiError, to_api_error
from ...http.request_body import cancel_on_disconnect
from ...inference.run import CLIENT_LEFT
from ...ollama_server import upstream
from ...state import ProxyState
from .turn_log import ForwardedTurn


class Relay(Response):
    """The answer as Ollama gives it, each piece as it comes.

    Its turn is in the log before the answer ends, though not before its last byte has gone out. Ollama's work
    ends when the client leaves.
    """

    def __init__(
        self, http: Request, request: ForwardedRequest, server: ProxyState, turn: ForwardedTurn | None = None
    ) -> None:
        super().__init__()
        self._http = http
        self._request = request
        self._server = server
        self._turn = turn
        self._started = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        work = self._relayed(scope, receive, send)
        # Whoever has left hears nothing of it.
        with suppress(ApiError, ClientDisconnect):
            # An upload is still read from the client, which tells as well when it leaves.
            await (cancel_on_disconnect(self._http, work) if isinstance(self._request.body, bytes) else work)

    async def _relayed(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._turn:
            await self._turn.begin()
        try:
            status = await self._passed(send)
        except asyncio.CancelledError:
            await self._end(CLIENT_LEFT, "The client left.")
            raise
        except GptOssError as error:
            await self._end(to_api_error(error).status, str(error))
            # Where the answer has begun, all that can be done is to let it end as Ollama's did: cut.
            if not self._started:
                await _failed(error)(scope, receive, send)
            return
        await self._end(status, None)
        await send({"type": "http.response.body", "body": b""})

    async def _passed(self, send: Send) -> int:
        async with forward(
            upstream(self._server), self._request, self._server.plugin_settings.read_timeout
        ) as passed:
            self._started = True
            start = {"type": "http.response.start", "status": passed.status, "headers": passed.headers}
            await send(start)
            async for data in passed.body:
                await send({"type": "http.response.body", "body": data, "more_body": True})
                if self._turn:
                    self._turn.feed(data)
            return passed.status

    async def _end(self, status: int, error: str | None) -> None:
        if self._turn:
            await self._turn.end(status, error)


def _failed(error: GptOssError) -> Response:
    headers = {"Retry-After": "5"} if isinstance(error, EngineUnreachable) else {}
    return ollama_error(str(error), to_api_error(error).status, headers)


def ollama_error(message: str, status: int, headers: Mapping[str, str] | None = None) -> Response:
    "In the form that Ollama's clients read."
    return JSONResponse({"error": message}, status, headers)
