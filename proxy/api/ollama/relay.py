"""A response that forwards one request to Ollama and streams Ollama's answer back."""

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

from ...http.disconnect import CLIENT_LEFT, cancel_on_disconnect
from ...http.errors import ApiError, to_api_error
from ...state import ProxyState
from .turn_log import ForwardedTurn


class Relay(Response):
    """Ollama's answer, each piece sent as it arrives.

    The turn is logged before the answer ends, but after its last byte was sent. The request to Ollama is
    cancelled when the client disconnects.
    """

    def __init__(
        self,
        request: Request,
        forwarded: ForwardedRequest,
        state: ProxyState,
        turn: ForwardedTurn | None = None,
    ) -> None:
        super().__init__()
        self._request = request
        self._forwarded = forwarded
        self._state = state
        self._turn = turn
        self._started = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        work = self._relay(scope, receive, send)
        # Both mean that the client disconnected, so it cannot receive an error.
        with suppress(ApiError, ClientDisconnect):
            # An upload is still being read from the client, which notices a disconnect as well.
            if isinstance(self._forwarded.body, bytes):
                await cancel_on_disconnect(self._request.receive, work)
            else:
                await work

    async def _relay(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            status = await self._forward(send)
        except asyncio.CancelledError:
            await self._end_turn(CLIENT_LEFT, "The client disconnected.")
            raise
        except GptOssError as error:
            await self._end_turn(to_api_error(error).status, str(error))
            # An answer that has started can only be broken off, as Ollama's was.
            if not self._started:
                await _error_response(error)(scope, receive, send)
            return
        await self._end_turn(status, None)
        await send({"type": "http.response.body", "body": b""})

    async def _forward(self, send: Send) -> int:
        "Return the status of Ollama's answer when all of it was sent."
        read_timeout = self._state.plugin_settings.read_timeout
        async with forward(self._state.ollama_address(), self._forwarded, read_timeout) as answer:
            self._started = True
            start = {"type": "http.response.start", "status": answer.status, "headers": answer.headers}
            await send(start)
            async for data in answer.body:
                await send({"type": "http.response.body", "body": data, "more_body": True})
                if self._turn:
                    self._turn.feed(data)
            return answer.status

    async def _end_turn(self, status: int, error: str | None) -> None:
        if self._turn:
            await self._turn.end(status, error)


def _error_response(error: GptOssError) -> Response:
    headers = {"Retry-After": "5"} if isinstance(error, EngineUnreachable) else {}
    return ollama_error(str(error), to_api_error(error).status, headers)


def ollama_error(message: str, status: int, headers: Mapping[str, str] | None = None) -> Response:
    "Return an error in the form that Ollama's clients read."
    return JSONResponse({"error": message}, status, headers)
