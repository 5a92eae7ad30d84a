"""uvicorn's server, changed so that an idle process seldom wakes, and a stop leaves no client waiting."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
from collections.abc import Generator
from contextlib import contextmanager, suppress
from types import FrameType

import uvicorn

from .connection_limit import BACKLOG, AcceptErrors
from .server_signals import Stopped, handling_hangup
from .server_stop import STATE, ServerStop

TICK_SECONDS = 1.0
# How many rounds of the event loop asyncio needs from an accepted connection to its protocol, and one more.
ACCEPT_ROUNDS = 3


class QuietServer(uvicorn.Server):
    """A server that wakes only to set the Date header, and when a signal stops it.

    Each time it wakes, its caches are cold. Ten times a second cost 2 ms of processor time a second, a third
    of what a short request costs.
    """

    _loop: asyncio.AbstractEventLoop | None = None
    _is_in_a_hurry = False

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        "Run until a signal stops the server. Exit with status 1 if it did not start, or if turns are lost."
        try:
            super().run(sockets)
        except Stopped:  # uvicorn raises the signal that stopped it (`ending_at_signals`)
            pass
        else:
            if not self.started:
                sys.exit(1)
        if (stop := self._stop) and stop.lost:
            sys.exit(1)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        asyncio.get_running_loop().set_exception_handler(AcceptErrors())
        await super().startup(sockets)
        for listener in sockets or ():
            listener.listen(BACKLOG)  # asyncio accepts at most its own, smaller backlog at a time

    async def main_loop(self) -> None:
        self._wake = asyncio.Event()
        self._loop = asyncio.get_running_loop()  # last: from now on `handle_exit` uses both
        while not await self.on_tick(0):  # uvicorn sets the header at every tenth tick, so at 0 too
            timer = self._loop.call_later(TICK_SECONDS, self._wake.set)
            await self._wake.wait()
            timer.cancel()
            self._wake.clear()

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        with super().capture_signals(), handling_hangup(self.handle_exit):
            yield

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop. Ctrl-C during a stop cuts the requests that are still running.

        uvicorn would end the event loop under them, so their clients would get a status 500.
        """
        if self._loop is None:
            super().handle_exit(sig, frame)
        elif sig == signal.SIGINT and self.should_exit and not self._is_in_a_hurry:
            self._is_in_a_hurry = True
            self._loop.call_soon_threadsafe(self._cut)
        else:
            super().handle_exit(sig, frame)
            self._loop.call_soon_threadsafe(self._wake.set)

    def _cut(self) -> None:
        if stop := self._stop:
            stop.cut(self.server_state.tasks)

    @property
    def _stop(self) -> ServerStop | None:
        "The application's, once it has started."
        return self.lifespan.state.get(STATE) if hasattr(self, "lifespan") else None

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop accepting connections, then do what uvicorn does.

        If a server is closed between the two, asyncio drops a connection that it has accepted without closing
        it, and its client would wait for an answer until the process ends.
        """
        loop = asyncio.get_running_loop()
        for server in self.servers:
            for listener in server.sockets:
                with suppress(NotImplementedError):  # Windows' event loop
                    loop.remove_reader(listener.fileno())
        for _ in range(ACCEPT_ROUNDS):
            await asyncio.sleep(0)
        await super().shutdown(sockets)
