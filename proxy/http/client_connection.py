"""What the protocols for HTTP and for WebSockets have in common: a client that leaves, or no longer reads."""

from __future__ import annotations

import asyncio
import logging
import socket
from typing import Any

from uvicorn.config import Config

from .server_stop import STATE

# Seconds in which a client that has left, or that is asked to leave, has to take more of what was sent to it.
LINGER_SECONDS = 5
# The system asks a silent client after 60 seconds whether it is still there, and gives up a minute later.
# Without this, a machine that lost its power would keep its connections.
TCP_OPTIONS = {"TCP_NODELAY": 1, "TCP_KEEPIDLE": 60, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 6}

# asyncio logs this for each write from the sixth on, until the application learns that its client has left.
UNSENDABLE = "socket.send() raised exception."


class ClientConnection(asyncio.Protocol):
    """A base class for uvicorn's protocols, which tells the application at once that its client has left.

    asyncio closes a connection when its client has closed its side, but sends all data first. A client that
    does not read would keep the connection, and the work for it. So would one that only stops reading. A
    connection is aborted if its client takes nothing during the keep-alive timeout, or in LINGER_SECONDS if
    it has left.

    asyncio sets TCP_NODELAY only on connections of sockets that it opened itself, and uvicorn hands it an
    open one. Without it, the body of an answer waits until the client has acknowledged the head: 40 ms for
    clients that keep their connection open.
    """

    config: Config
    app_state: dict[str, Any]
    tasks: set[asyncio.Task[None]]
    loop: asyncio.AbstractEventLoop
    transport: asyncio.Transport
    _unsent = 0
    _unsent_timer: asyncio.TimerHandle | None = None

    def client_left(self) -> None:
        "Tell the application that nobody reads its answer."
        raise NotImplementedError

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        logging.getLogger("asyncio").addFilter(is_no_unsendable)
        connection = transport.get_extra_info("socket")
        if connection.family in (socket.AF_INET, socket.AF_INET6):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            for name, value in TCP_OPTIONS.items():
                if option := getattr(socket, name, None):
                    connection.setsockopt(socket.IPPROTO_TCP, option, value)
        super().connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_unsent_timer()
        super().connection_lost(exc)

    def begin_stop(self) -> None:
        "Tell the application that the server stops, if it has a lifespan."
        if stop := self.app_state.get(STATE):
            stop.begin(self.tasks, self.config.timeout_graceful_shutdown)

    def eof_received(self) -> None:
        self.client_left()
        self.abort_if_stalled(LINGER_SECONDS)

    def pause_writing(self) -> None:
        super().pause_writing()
        self.abort_if_stalled(self.config.timeout_keep_alive)

    def resume_writing(self) -> None:
        super().resume_writing()
        if not self.transport.is_closing():
            self._stop_unsent_timer()

    def abort_if_stalled(self, seconds: float) -> None:
        "Abort the connection when its client takes nothing for that long, until all data is sent."
        self._stop_unsent_timer()
        self._unsent = self.transport.get_write_buffer_size()
        if self._unsent:
            self._unsent_timer = self.loop.call_later(seconds, self._check_unsent, seconds)

    def _check_unsent(self, seconds: float) -> None:
        if self.transport.get_write_buffer_size() >= self._unsent:
            self.transport.abort()
        else:
            self.abort_if_stalled(seconds)

    def _stop_unsent_timer(self) -> None:
        if self._unsent_timer is not None:
            self._unsent_timer.cancel()
            self._unsent_timer = None


def is_no_unsendable(record: logging.LogRecord) -> bool:
    return record.msg != UNSENDABLE
