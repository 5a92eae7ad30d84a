"""A connection as uvicorn serves it, on which nothing waits for the network's leave."""

from __future__ import annotations

import asyncio
import socket

from uvicorn.protocols.http.auto import AutoHTTPProtocol


class NoDelayProtocol(AutoHTTPProtocol):  # type: ignore[misc, valid-type]
    """What is written goes out at once (TCP_NODELAY).

    asyncio sees to that only for sockets that it opened itself. On one that is handed to it, as uvicorn's
    are, an answer's body waits until the client has acknowledged the head: 40 ms, for clients that keep their
    connection.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:
        connected = transport.get_extra_info("socket")
        if connected.family in (socket.AF_INET, socket.AF_INET6):
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        super().connection_made(transport)
