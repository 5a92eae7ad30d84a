"""uvicorn's WebSocket protocol, changed for clients that leave or no longer read."""

from __future__ import annotations

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from .client_connection import LINGER_SECONDS, ClientConnection


class WebSocketProtocol(ClientConnection, WebSocketsSansIOProtocol):
    """Ends the work for a client that has left, even if data for it is unsent.

    When the server stops, the application closes the connection, since it knows whether it still sends.
    """

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
