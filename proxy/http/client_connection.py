"""The base of the HTTP and WebSocket protocols, which notices clients that disconnect or stop reading."""

from __future__ import annotations

import asyncio
import logging
import socket
from typing import Any

from uvicorn.config import Config

from .server_stop import STATE

# How many seconds a client gets to read more after it has disconnected, or after the server has ended the
# connection.
LINGER_SECONDS = 5
# After 60 seconds of silence the operating system asks the client every 10 seconds whether it is still there,
# and closes the connection after six requests without an answer. Without these options, a client that lost
# its power would keep its connection.
TCP_OPTIONS = {"TCP_NODELAY": 1, "TCP_KEEPIDLE": 60, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 6}

# asyncio logs this for each write after the fifth to a client that has disconnected, until the application
# learns of it.
FAILED_WRITE = "socket.send() raised exception."


class ClientConnection(asyncio.Protocol):
    """A base class for uvicorn's protocols. It tells the application at once that its client is gone.

    When a client closes its side of a connection, asyncio sends all remaining data before it closes the
    other side. A client that disconnects without reading would therefore keep its connection, and the work
    that is done for it. So would a client that stops reading. This class aborts the connection of a client
    that reads nothing for the keep-alive timeout, or for LINGER_SECONDS after it has disconnected.

    asyncio sets TCP_NODELAY only on sockets that it opens itself, and uvicorn passes it an open one. Without
    this option, the body of an answer waits until the client has acknowledged the head. On a connection that
    is kept open this takes 40 ms.
    """

    config: Config
    app_state: dict[str, Any]
    tasks: set[asyncio.Task[None]]
    loop: asyncio.AbstractEventLoop
    transport: asyncio.Transport
    _unsent = 0
    _unsent_timer: asyncio.TimerHandle | None = None

    def client_left(self) -> None:
        "Tell the application that its client has disconnected."
        raise NotImplementedError

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        logging.getLogger("asyncio").addFilter(drop_failed_writes)
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
        "Abort the connection if its client reads nothing for `seconds`. Check again until all data is sent."
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


def drop_failed_writes(record: logging.LogRecord) -> bool:
    "A filter for asyncio's logger. It returns False for messages about writes to disconnected clients."
    return record.msg != FAILED_WRITE
