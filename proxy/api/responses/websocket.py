"""`/v1/responses` as a WebSocket: several responses over one connection, one after the other.

https://platform.openai.com/docs/guides/websocket-mode. A client sends `{"type": "response.create", ...}` with
the fields of a request, and receives each event of the response as one text message.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from contextlib import aclosing, suppress
from typing import Any

from fastapi import APIRouter, Request, WebSocket, WebSocketDisconnect
from llm.parts import Message
from starlette.websockets import WebSocketState

from ...http.auth import KEY_SUBPROTOCOL
from ...http.body_budget import HeldBody
from ...http.disconnect import messages_until_disconnect, run_until_first_ends
from ...http.errors import ApiError, to_api_error
from ...http.long_work import off_loop
from ...http.request_body import ReceivedBody, parse_body_json, read_body
from ...http.server_stop import STOPPED, is_cut, stopped_error
from ...inference.client_request import ClientRequest
from ...log.access import viewer_of
from ...state import ProxyState, StateDep
from .answer import ResponseRun
from .context import ConversationLocks, LocksDep, check_conversation, locked_generation
from .request import ResponsesRequest

router = APIRouter()

# These headers describe one request, but the handshake came before all requests.
REQUEST_HEADERS = (b"idempotency-key", b"x-stainless-retry-count")
# How many messages may wait for the response before them. Reading goes on while they wait, because otherwise
# nobody would notice that the client disconnects.
MAX_WAITING = 8
# https://www.iana.org/assignments/websocket/websocket.xhtml#close-code-number
POLICY_VIOLATION, SERVICE_RESTART, TRY_AGAIN_LATER = 1008, 1012, 1013


@router.websocket("/v1/responses")
async def serve(socket: WebSocket, state: StateDep, locks: LocksDep) -> None:
    # A browser that offers subprotocols gives up if none of them is selected.
    names = [name for name in socket.scope["subprotocols"] if name and not name.startswith(KEY_SUBPROTOCOL)]
    await socket.accept(subprotocol=names[0] if names else None)
    session = ResponsesSession(socket, state, locks)
    try:
        await run_until_first_ends(session.read(), session.answer(), session.close_at_stop())
    except asyncio.CancelledError as cancelled:
        if not is_cut(cancelled):
            raise
        await session.end_with(stopped_error())


class ResponsesSession:
    """One connection. It is read while a response is sent, so that the response ends when the client
    disconnects.

    The client can continue its last response even if that is not stored, since no other client can.
    """

    def __init__(self, socket: WebSocket, state: ProxyState, locks: ConversationLocks) -> None:
        self._socket = socket
        self._state = state
        self._locks = locks
        self._received: asyncio.Queue[tuple[str | bytes, HeldBody]] = asyncio.Queue(MAX_WAITING)
        self._responding = asyncio.Lock()
        self._last: Mapping[str, Sequence[Message]] = {}

    async def read(self) -> None:
        "Receive messages until the client disconnects, or sends too many."
        async for message in messages_until_disconnect(self._socket.receive):
            if self._received.full():
                await self._close(POLICY_VIOLATION, f"More than {MAX_WAITING} requests are waiting.")
                return
            text = message.get("text") or message.get("bytes") or ""
            held = HeldBody(self._state.body_budget, getattr(self._socket.state, "actor", None))
            try:
                held.add(len(text))
            except ApiError as error:
                await self._close(TRY_AGAIN_LATER, error.message)
                return
            self._received.put_nowait((text, held))

    async def answer(self) -> None:
        with suppress(WebSocketDisconnect):
            while True:
                text, held = await self._received.get()
                async with self._responding:
                    await self._respond(text)
                held.release()

    async def close_at_stop(self) -> None:
        "Close the connection when the server stops, after the response that is being sent."
        await self._state.stop.began.wait()
        async with self._responding:
            await self._close(SERVICE_RESTART, STOPPED)

    async def end_with(self, error: ApiError) -> None:
        with suppress(WebSocketDisconnect):
            await self._send_error(error)
            await self._close(SERVICE_RESTART, STOPPED)

    async def _close(self, code: int, reason: str) -> None:
        with suppress(WebSocketDisconnect, RuntimeError):  # it may be closed already
            await self._socket.close(code, reason)

    async def _respond(self, text: str | bytes) -> None:
        last, self._last = self._last, {}
        try:
            client = await self._client_request(text)
            body = client.body.model
            await check_conversation(body, self._state.log_reader, client.viewer)
            if body.background:
                message = "Background responses are not available over a WebSocket."
                raise ApiError(400, message, code="unsupported_parameter", param="background")
            attempt = await self._state.retries.attempt(client)
            generation = locked_generation(client, self._state.log_reader, self._locks, unstored=last)
            answer = ResponseRun(self._state, client, attempt, generation)
            last_type = ""
            async with aclosing(answer.events()) as events:
                async for event in events:
                    await self._send(event)
                    last_type = event["type"]
            if last_type != "response.failed":
                self._last = {f"resp_{answer.turn_id}": answer.conversation}
        except WebSocketDisconnect:
            raise
        except Exception as error:
            await self._send_error(to_api_error(error))

    async def _client_request(self, text: str | bytes) -> ClientRequest[ResponsesRequest]:
        "Return the message as if it had been posted. Raises ApiError for anything but a `response.create`."
        scope = self._socket.scope
        headers = [header for header in scope["headers"] if header[0] not in REQUEST_HEADERS]
        state = {**scope.get("state", {})}
        request = Request({**scope, "type": "http", "method": "POST", "headers": headers, "state": state})
        received = await off_loop(len(text), self._read_message, text)
        return ClientRequest(request, received, await viewer_of(request, self._state.plugins))

    def _read_message(self, text: str | bytes) -> ReceivedBody[ResponsesRequest]:
        match parse_body_json(text.encode() if isinstance(text, str) else text):
            case {"type": "response.create", **fields}:
                body = {**fields, "stream": True}
            case _:
                message = 'Send {"type": "response.create", ...}. No other messages are supported.'
                raise ApiError(400, message, code="invalid_value", param="type")
        return read_body(
            json.dumps(body).encode(), body, ResponsesRequest, strict=self._state.settings.strict
        )

    async def _send_error(self, error: ApiError) -> None:
        await self._send({"type": "error", "status": error.status, **error.body})

    async def _send(self, event: dict[str, Any]) -> None:
        if self._socket.application_state is WebSocketState.DISCONNECTED:  # `read` has closed the connection
            raise WebSocketDisconnect
        await self._socket.send_text(json.dumps(event, ensure_ascii=False, separators=(",", ":")))
