"""`/v1/responses` as a WebSocket: many responses, one after the other, over one connection.

https://platform.openai.com/docs/guides/websocket-mode. A client sends `{"type": "response.create", ...}` with
the fields of a request, and gets the events of the response, each as one text.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from contextlib import aclosing, suppress
from typing import Any

from fastapi import APIRouter, Request, WebSocket, WebSocketDisconnect
from llm.parts import Message

from ...http.disconnect import run_until_first_ends
from ...http.errors import ApiError, to_api_error
from ...http.request_body import parse_body, parse_body_json
from ...log.access import viewer_of
from ...state import ProxyState
from .answer import ResponseRun
from .context import locked_generation
from .request import ResponsesRequest

router = APIRouter()

# Headers that say something of one request, and came before there was any.
OF_THE_CONNECTION = (b"idempotency-key", b"x-stainless-retry-count")
# Requests that a client may send ahead. The next one is read when one of them is done.
AHEAD = 8


@router.websocket("/v1/responses")
async def serve(socket: WebSocket) -> None:
    await socket.accept()
    connection = ResponsesSession(socket, socket.app.state.server)
    await run_until_first_ends(connection.read(), connection.answer())


class ResponsesSession:
    """What the client sends is read while it is answered, so that its leaving ends an answer at once.

    The last response can be gone on from even if it was not stored: nobody else can have it.
    """

    def __init__(self, socket: WebSocket, server: ProxyState) -> None:
        self._socket = socket
        self._server = server
        self._sent: asyncio.Queue[str | bytes] = asyncio.Queue(AHEAD)
        self._last: Mapping[str, Sequence[Message]] = {}

    async def read(self) -> None:
        "Until the client leaves."
        while (message := await self._socket.receive())["type"] != "websocket.disconnect":
            await self._sent.put(message.get("text") or message.get("bytes") or "")

    async def answer(self) -> None:
        with suppress(WebSocketDisconnect):
            while True:
                await self._one(await self._sent.get())

    async def _one(self, text: str | bytes) -> None:
        last, self._last = self._last, {}
        try:
            http = self._request(text)
            request = parse_body(http.state.body, ResponsesRequest)
            if request.background:
                message = "Over a WebSocket nothing is made in the background."
                raise ApiError(400, message, code="unsupported_parameter", param="background")
            viewer = await viewer_of(http, self._server.plugins)
            attempt = await self._server.attempt(http)
            locks = self._socket.app.state.locks
            answer = ResponseRun(
                self._server,
                http,
                attempt,
                locked_generation(request, self._server.log_reader, viewer, locks, last),
            )
            ended = ""
            async with aclosing(answer.events()) as events:
                async for event in events:
                    await self._send(event)
                    ended = event["type"]
            if ended != "response.failed":
                self._last = {f"resp_{answer.turn_id}": answer.conversation}
        except WebSocketDisconnect:
            raise
        except Exception as error:
            told = to_api_error(error)
            await self._send({"type": "error", "status": told.status, **told.body})

    def _request(self, text: str | bytes) -> Request:
        "As if it had been posted. Raises ApiError for what is no `response.create`."
        body = text.encode() if isinstance(text, str) else text
        match parse_body_json(body):
            case {"type": "response.create", **fields}:
                pass
            case _:
                message = 'Send {"type": "response.create", ...}: nothing else is understood here.'
                raise ApiError(400, message, code="invalid_value", param="type")
        state = {
            **self._socket.scope.get("state", {}),
            "body": json.dumps({**fields, "stream": True}).encode(),
        }
        headers = [each for each in self._socket.scope["headers"] if each[0] not in OF_THE_CONNECTION]
        return Request(
            {**self._socket.scope, "type": "http", "method": "POST", "headers": headers, "state": state}
        )

    async def _send(self, event: dict[str, Any]) -> None:
        await self._socket.send_text(json.dumps(event, ensure_ascii=False, separators=(",", ":")))
