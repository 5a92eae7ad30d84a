"""uvicorn's HTTP protocol, without the delay that TCP adds to small writes."""

from __future__ import annotations

import asyncio
import socket

from uvicorn.protocols.http.auto import AutoHTTPProtocol


class NoDelayProtocol(AutoHTTPProtocol):  # type: ignore[misc, valid-type]
    """Sets TCP_NODELAY on each connection.

    asyncio sets it only on connections of sockets that it opened itself, and uvicorn hands it an open one.
    Without it, the body of an answer waits until the client has acknowledged the head: 40 ms for clients that
    keep their connection open.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:
        connection = transport.get_extra_info("socket")
        if connection.family in (socket.AF_INET, socket.AF_INET6):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        super().connection_made(transport)
