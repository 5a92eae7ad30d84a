"""httpx's async client on asyncio's own sockets, for plain HTTP to an address of this machine.

By itself httpx reads through anyio, which makes a scope to cancel for every read, and takes the socket to the
selector and away again: a fifth of all that a streamed token costs the proxy (`benchmarks/serving.py`).
"""

# ruff: noqa: ASYNC109 - the time limits are httpcore's

from __future__ import annotations

import asyncio
import selectors
import ssl
from collections.abc import Callable, Iterable
from typing import Any, cast

import anyio
import httpcore
import httpx

# Bytes that wait to be read, before the other side has to.
AHEAD = 2**16


class Transport(httpx.AsyncHTTPTransport):
    "httpx's own, whose connections are ours. They belong to the event loop in which they are made."

    def __init__(self, verify: ssl.SSLContext, limits: httpx.Limits) -> None:
        super().__init__(verify=verify, limits=limits)
        # httpcore lets its network be chosen, httpx has no argument for that. Should a later httpx call its
        # pool otherwise, it reads through anyio again: all works, and a test tells.
        self._pool = httpcore.AsyncConnectionPool(
            max_connections=limits.max_connections,
            max_keepalive_connections=limits.max_keepalive_connections,
            keepalive_expiry=limits.keepalive_expiry,
            network_backend=Network(),
        )


class Network(httpcore.AsyncNetworkBackend):
    "TCP to an IP address."

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> Connection:
        "Raises ConnectTimeout after `timeout` seconds, and ConnectError where nobody answers."
        try:
            with anyio.fail_after(timeout):
                _, connection = await asyncio.get_running_loop().create_connection(Connection, host, port)
        except TimeoutError as error:
            raise httpcore.ConnectTimeout from error
        except OSError as error:
            raise httpcore.ConnectError(str(error)) from error
        return connection


class Connection(asyncio.Protocol, httpcore.AsyncNetworkStream):
    "One task at a time reads or writes, as httpcore's do with HTTP/1.1."

    def __init__(self) -> None:
        self._received = b""
        self._full = False
        self._over = False
        self._problem: Exception | None = None
        self._waiting: asyncio.Future[None] | None = None

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._received += data
        if len(self._received) > AHEAD:
            self._transport.pause_reading()
        self._wake()

    def eof_received(self) -> None:
        self._over = True
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._over:
            self._problem = exc or ConnectionAbortedError("closed at this end")
        self._over = True
        self._wake()

    def pause_writing(self) -> None:
        self._full = True

    def resume_writing(self) -> None:
        self._full = False
        self._wake()

    # What httpcore calls.

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        "Nothing at the end. Raises ReadTimeout after `timeout` seconds without a byte, and ReadError."
        if self._received:
            await asyncio.sleep(0)  # who has fallen behind must not keep others waiting
        else:
            await self._wait_while(
                lambda: not self._received and not self._over, timeout, httpcore.ReadTimeout
            )
        if self._problem and not self._received:
            raise httpcore.ReadError(str(self._problem)) from self._problem
        data, self._received = self._received[:max_bytes], self._received[max_bytes:]
        if len(self._received) <= AHEAD < len(self._received) + len(data):
            self._transport.resume_reading()
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        "Raises WriteTimeout where the buffer is not nearly taken within `timeout` seconds, and WriteError."
        if not self._over:
            self._transport.write(buffer)
        await self._wait_while(lambda: self._full and not self._over, timeout, httpcore.WriteTimeout)
        if self._over:
            raise httpcore.WriteError(str(self._problem or "closed at the other end")) from self._problem

    async def aclose(self) -> None:
        self._transport.abort()
        await asyncio.sleep(0)  # asyncio closes the socket in its next round

    def get_extra_info(self, info: str) -> bool | None:
        "Asked of a connection that waits for its next request: one that `is_readable` is over."
        if info != "is_readable":
            return None
        return bool(self._received) or self._over or self._is_readable()

    def _is_readable(self) -> bool:
        "Asked of the system: the event loop may not have come to it yet."
        with selectors.DefaultSelector() as selector:
            selector.register(self._transport.get_extra_info("socket"), selectors.EVENT_READ)
            return bool(selector.select(0))

    async def _wait_while(
        self, held_up: Callable[[], bool], seconds: float | None, late: type[httpcore.TimeoutException]
    ) -> None:
        loop = asyncio.get_running_loop()
        end = None if seconds is None else loop.time() + seconds
        while held_up():
            self._waiting = loop.create_future()
            limit = loop.call_at(end, self._wake, late) if end is not None else None
            try:
                await self._waiting
            finally:
                self._waiting = None
                if limit:
                    limit.cancel()

    def _wake(self, late: type[httpcore.TimeoutException] | None = None) -> None:
        if not self._waiting or self._waiting.done():
            return
        if late:
            self._waiting.set_exception(late())
        else:
            self._waiting.set_result(None)
