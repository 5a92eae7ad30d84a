"""uvicorn's WebSocket protocol, changed for clients that leave, no longer read, or never end a message."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import CloseCode

from .body_budget import BUDGET, BodyBudget, HeldBody
from .body_pace import TOO_SLOW, BodyPace
from .client_connection import LINGER_SECONDS, ClientConnection
from .errors import ApiError

# How many frames a message may have. Each takes more memory than it has bytes, and an empty one, too.
MAX_FRAMES = 1000
# Bytes that are read at once. A frame can have only six, and no other client is served while they are parsed.
READ_SIZE = 2**14
# uvicorn logs this error with a traceback. It is the client's.
NOT_UTF8 = "Invalid UTF-8 sequence received from client."


class WebSocketProtocol(ClientConnection, WebSocketsSansIOProtocol):
    """Ends the work for a client that has left, even if data for it is unsent.

    The bytes of a message count in the application's `BodyBudget` from the first on. They have to arrive at
    the pace of a body. The application counts the whole message.

    When the server stops, the application closes the connection, since it knows whether it still sends.
    """

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._budget = self.app_state.get(BUDGET) or BodyBudget()
        self._arriving: tuple[HeldBody, BodyPace] | None = None
        self.logger.addFilter(is_no_invalid_text)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        if hasattr(transport, "max_size"):  # asyncio's, where it reads into no buffer of its own
            transport.max_size = READ_SIZE

    def connection_lost(self, exc: Exception | None) -> None:
        self._wait_for_message()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._arriving is None:
            actor = self.scope["state"].get("actor") if self.handshake_complete else None
            self._arriving = HeldBody(self._budget, actor), BodyPace()
        held, pace = self._arriving
        try:
            held.add(len(data))
        except ApiError as error:
            self._refuse(CloseCode.TRY_AGAIN_LATER, error.message)
            return
        if pace.is_too_slow(len(data)):
            self._refuse(CloseCode.POLICY_VIOLATION, TOO_SLOW)
            return
        super().data_received(data)
        if len(self.frames) > MAX_FRAMES:
            self._refuse(CloseCode.MESSAGE_TOO_BIG, f"A message has at most {MAX_FRAMES} frames.")
        elif not self.frames and not self.conn.reader.buffer:
            self._wait_for_message()

    def send_receive_event_to_app(self) -> None:
        self._wait_for_message()
        super().send_receive_event_to_app()

    def _wait_for_message(self) -> None:
        "Count nothing until the next message begins to arrive."
        if self._arriving:
            self._arriving[0].release()
        self._arriving = None

    def _refuse(self, code: CloseCode, reason: str) -> None:
        "Close the connection at once, and drop what arrived of a message."
        self._wait_for_message()
        self.frames = []
        if not self.handshake_complete:
            self.transport.close()
        elif not self.transport.is_closing():
            self.conn.fail(code, reason)
            self.handle_parser_exception()

    def client_left(self) -> None:
        if not self.disconnected:
            self.disconnected = True
            self.queue.put_nowait({"type": "websocket.disconnect", "code": 1006})
            self.writable.set()

    def shutdown(self) -> None:
        self.begin_stop()
        if self.close_sent or not self.handshake_complete:
            super().shutdown()

    def keepalive_timeout(self) -> None:
        super().keepalive_timeout()
        self.client_left()

    async def run_asgi(self) -> None:
        await super().run_asgi()
        self.abort_if_stalled(LINGER_SECONDS)


def is_no_invalid_text(record: logging.LogRecord) -> bool:
    return record.msg != NOT_UTF8
