"""An httpx transport for plain HTTP to an address of this machine, on asyncio's own sockets.

httpx reads through anyio, which makes a cancel scope for each read, and registers the socket with the event
loop again each time. This transport and `http1` save more than half of the processor time that a streamed
token costs the proxy (`benchmarks/serving.py`). The pool of connections is httpcore's.
"""

# ruff: noqa: ASYNC109 - the timeouts are parameters of httpcore's interface

from __future__ import annotations

import asyncio
import selectors
import socket
import sys
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, cast

import anyio
import httpcore
import httpx

from .http1 import Http1Connection

# Bytes that are received ahead of the reader, before the sender has to wait.
MAX_UNREAD = 2**16

HTTPX_ERRORS: dict[type[Exception], type[httpx.TransportError]] = {
    httpcore.ConnectError: httpx.ConnectError,
    httpcore.ConnectTimeout: httpx.ConnectTimeout,
    httpcore.PoolTimeout: httpx.PoolTimeout,
    httpcore.ReadError: httpx.ReadError,
    httpcore.ReadTimeout: httpx.ReadTimeout,
    httpcore.WriteError: httpx.WriteError,
    httpcore.WriteTimeout: httpx.WriteTimeout,
    httpcore.LocalProtocolError: httpx.LocalProtocolError,
    httpcore.RemoteProtocolError: httpx.RemoteProtocolError,
    httpcore.UnsupportedProtocol: httpx.UnsupportedProtocol,
}


class LoopbackTransport(httpx.AsyncBaseTransport):
    "Sends requests through httpcore's pool, whose connections belong to the event loop that opened them."

    def __init__(self, limits: httpx.Limits) -> None:
        self._pool = LoopbackPool(limits)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        url = httpcore.URL(
            scheme=request.url.raw_scheme,
            host=request.url.raw_host,
            port=request.url.port,
            target=request.url.raw_path,
        )
        with translate_errors():
            response = await self._pool.handle_async_request(
                httpcore.Request(
                    request.method,
                    url,
                    headers=request.headers.raw,
                    content=cast(httpx.AsyncByteStream, request.stream),
                    extensions=request.extensions,
                )
            )
        return httpx.Response(
            response.status,
            headers=response.headers,
            stream=ResponseStream(response),
            extensions=response.extensions,
        )

    async def aclose(self) -> None:
        await self._pool.aclose()
        await asyncio.sleep(0)  # asyncio closes the sockets in the next iteration of the event loop


class LoopbackPool(httpcore.AsyncConnectionPool):
    "httpcore's pool, with connections of `http1`."

    def __init__(self, limits: httpx.Limits) -> None:
        super().__init__(
            max_connections=limits.max_connections,
            max_keepalive_connections=limits.max_keepalive_connections,
        )
        self.keepalive = limits.keepalive_expiry

    def create_connection(self, origin: httpcore.Origin) -> Http1Connection:
        return Http1Connection(origin, AsyncioBackend(), self.keepalive)


class ResponseStream(httpx.AsyncByteStream):
    "The body of httpcore's response, with httpx's errors."

    def __init__(self, response: httpcore.Response) -> None:
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with translate_errors():
            async for data in cast(AsyncIterable[bytes], self._response.stream):
                yield data

    async def aclose(self) -> None:
        with translate_errors():
            await self._response.aclose()


@contextmanager
def translate_errors() -> Iterator[None]:
    "Raise httpx's error of the same name for httpcore's."
    try:
        yield
    except tuple(HTTPX_ERRORS) as error:
        raise HTTPX_ERRORS[type(error)](str(error)) from error


class AsyncioBackend(httpcore.AsyncNetworkBackend):
    "Opens TCP connections to IP addresses."

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> AsyncioStream:
        """Open a connection.

        Raises ConnectTimeout after `timeout` seconds, and ConnectError if no server listens.
        """
        try:
            with anyio.fail_after(timeout):
                _, stream = await asyncio.get_running_loop().create_connection(AsyncioStream, host, port)
        except TimeoutError as error:
            raise httpcore.ConnectTimeout from error
        except OSError as error:
            raise httpcore.ConnectError(str(error)) from error
        return stream


class AsyncioStream(asyncio.Protocol, httpcore.AsyncNetworkStream):
    """A TCP connection for httpcore. Only one task may use it at a time, which httpcore ensures for HTTP/1.1.

    `read_delay` is how many seconds to wait before each read. In the meantime the operating system collects
    data, so that one read returns more of it. `wakes_at_end` says whether the end of the connection, and
    MAX_UNREAD bytes, end the delay.
    """

    # Other systems have no low-water mark, or one that the event loop's selector ignores.
    wakes_at_end = sys.platform == "linux"

    def __init__(self) -> None:
        self.read_delay = 0.0
        self._received = b""
        self._write_buffer_full = False
        self._ended = False
        self._error: Exception | None = None
        self._waiter: asyncio.Future[None] | None = None

    # Methods that asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._received += data
        if len(self._received) > MAX_UNREAD:
            self._transport.pause_reading()
        self._wake()

    def eof_received(self) -> None:
        self._ended = True
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._ended:
            self._error = exc or ConnectionAbortedError("closed at this end")
        self._ended = True
        self._wake()

    def pause_writing(self) -> None:
        self._write_buffer_full = True

    def resume_writing(self) -> None:
        self._write_buffer_full = False
        self._wake()

    # Methods that httpcore calls.

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Return data, or nothing at the end.

        Raises ReadTimeout after `timeout` seconds without data, and ReadError for a broken connection.
        """
        if self._received:
            await asyncio.sleep(0)  # a reader that always finds data must not block the event loop
        else:
            if self.read_delay:
                await self._delay_reading()
            await self._wait_while(
                lambda: not self._received and not self._ended, timeout, httpcore.ReadTimeout
            )
        if self._error and not self._received:
            raise httpcore.ReadError(str(self._error)) from self._error
        data, self._received = self._received[:max_bytes], self._received[max_bytes:]
        if len(self._received) <= MAX_UNREAD < len(self._received) + len(data):
            self._transport.resume_reading()
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send the buffer.

        Raises WriteTimeout if most of it is not sent within `timeout` seconds, and WriteError for a closed
        connection.
        """
        if not self._ended:
            self._transport.write(buffer)
        await self._wait_while(
            lambda: self._write_buffer_full and not self._ended, timeout, httpcore.WriteTimeout
        )
        if self._ended:
            raise httpcore.WriteError(str(self._error or "closed at the other end")) from self._error

    async def aclose(self) -> None:
        # Without an await it cannot be cancelled halfway, so the pool always learns of it.
        self._transport.abort()

    def get_extra_info(self, info: str) -> bool | None:
        "httpcore asks an unused connection whether it `is_readable`, which means that the server closed it."
        if info != "is_readable":
            return None
        return bool(self._received) or self._ended or self._is_readable()

    def _is_readable(self) -> bool:
        "Ask the operating system, because the event loop may not have processed the end yet."
        with selectors.DefaultSelector() as selector:
            selector.register(self._transport.get_extra_info("socket"), selectors.EVENT_READ)
            return bool(selector.select(0))

    async def _delay_reading(self) -> None:
        if not self.wakes_at_end:
            await self._pause_reading()
            return
        self._set_low_water(MAX_UNREAD)
        try:
            with suppress(httpcore.ReadTimeout):
                await self._wait_while(
                    lambda: len(self._received) < MAX_UNREAD and not self._ended,
                    self.read_delay,
                    httpcore.ReadTimeout,
                )
        finally:
            self._set_low_water(1)

    async def _pause_reading(self) -> None:
        self._transport.pause_reading()
        try:
            await asyncio.sleep(self.read_delay)
        finally:
            self._transport.resume_reading()

    def _set_low_water(self, size: int) -> None:
        "Set how many received bytes wake this process. The end of the connection always wakes it."
        if not self._ended:
            connection = self._transport.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, size)

    async def _wait_while(
        self,
        blocked: Callable[[], bool],
        seconds: float | None,
        timeout_error: type[httpcore.TimeoutException],
    ) -> None:
        loop = asyncio.get_running_loop()
        deadline = None if seconds is None else loop.time() + seconds
        while blocked():
            self._waiter = loop.create_future()
            timer = loop.call_at(deadline, self._wake, timeout_error) if deadline is not None else None
            try:
                await self._waiter
            finally:
                self._waiter = None
                if timer:
                    timer.cancel()

    def _wake(self, timeout_error: type[httpcore.TimeoutException] | None = None) -> None:
        if not self._waiter or self._waiter.done():
            return
        if timeout_error:
            self._waiter.set_exception(timeout_error())
        else:
            self._waiter.set_result(None)
