"""HTTP/1.1 connections for httpcore's pool, which parse responses with httptools.

A stream of tokens has one chunk for each token. httpcore's own connections parse it in Python, which takes
half of the processor time that a streamed token costs.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterable, AsyncIterator
from contextlib import suppress
from typing import Literal, cast

import httpcore
import httptools

READ_SIZE = 2**16
# h11, which parses the responses of all other servers, stops at about the same length.
MAX_HEAD = 2**17


class Http1Connection(httpcore.AsyncConnectionInterface):
    """A connection that serves one request at a time.

    After a complete response it stays open for `keepalive` seconds (None: without limit), if the server
    allows that.
    """

    def __init__(
        self, origin: httpcore.Origin, backend: httpcore.AsyncNetworkBackend, keepalive: float | None
    ) -> None:
        self._origin = origin
        self._backend = backend
        self._keepalive = keepalive
        self._state: Literal["new", "active", "idle", "closed"] = "new"
        self._stream: httpcore.AsyncNetworkStream | None = None
        self._expires_at: float | None = None

    async def handle_async_request(self, request: httpcore.Request) -> httpcore.Response:
        "Return the response as soon as its headers are complete. Raises httpcore's errors."
        if self._state not in ("new", "idle"):
            raise httpcore.ConnectionNotAvailable
        self._state = "active"
        timeouts = request.extensions.get("timeout", {})
        try:
            if self._stream is None:
                self._stream = await self._backend.connect_tcp(
                    self._origin.host.decode("ascii"), self._origin.port, timeouts.get("connect")
                )
            await send_request(request, self._stream, timeouts.get("write"))
            parser = ResponseParser(is_head=request.method == b"HEAD")
            received = 0
            while not parser.has_headers:
                if received > MAX_HEAD:
                    raise httpcore.RemoteProtocolError("the headers of the response do not end")
                data = await self._stream.read(READ_SIZE, timeouts.get("read"))
                parser.feed(data)
                received += len(data)
        except BaseException:
            await self.aclose()
            raise
        return httpcore.Response(
            parser.status,
            headers=parser.headers,
            content=ResponseBody(self, parser, self._stream, timeouts.get("read")),
            extensions={
                "http_version": b"HTTP/" + parser.http_version,
                "reason_phrase": parser.reason,
                "network_stream": self._stream,
            },
        )

    async def end_response(self, *, can_be_reused: bool) -> None:
        "Keep the connection for the next request, or close it."
        if not can_be_reused:
            await self.aclose()
            return
        self._state = "idle"
        self._expires_at = None if self._keepalive is None else time.monotonic() + self._keepalive

    async def aclose(self) -> None:
        self._state = "closed"
        if self._stream is not None:
            await self._stream.aclose()

    # httpcore's pool calls these methods to query the connection.

    def info(self) -> str:
        return f"{self._origin}, {self._state}"

    def can_handle_request(self, origin: httpcore.Origin) -> bool:
        return origin == self._origin

    def is_available(self) -> bool:
        return self._state == "idle"

    def is_idle(self) -> bool:
        return self._state == "idle"

    def is_closed(self) -> bool:
        return self._state == "closed"

    def has_expired(self) -> bool:
        if self._state != "idle" or self._stream is None:
            return False
        is_late = self._expires_at is not None and time.monotonic() > self._expires_at
        # A server sends nothing before the next request, except when it closes the connection.
        return is_late or bool(self._stream.get_extra_info("is_readable"))


class ResponseBody:
    "The body of a response. Each item is all data that one read returned."

    def __init__(
        self,
        connection: Http1Connection,
        parser: ResponseParser,
        stream: httpcore.AsyncNetworkStream,
        read_timeout: float | None,
    ) -> None:
        self._connection = connection
        self._parser = parser
        self._stream = stream
        self._read_timeout = read_timeout

    async def __aiter__(self) -> AsyncIterator[bytes]:
        parser = self._parser
        while True:
            if data := parser.take_body():
                yield data
            if parser.is_complete:
                return
            parser.feed(await self._stream.read(READ_SIZE, self._read_timeout))

    async def aclose(self) -> None:
        await self._connection.end_response(can_be_reused=self._parser.can_be_reused)


class ResponseParser:
    "Parses the bytes of one response. httptools calls the methods whose names begin with `on_`."

    def __init__(self, *, is_head: bool = False) -> None:
        self.status = 0
        self.reason = b""
        self.headers: list[tuple[bytes, bytes]] = []
        self.has_headers = self.is_complete = self.can_be_reused = False
        self._is_head = is_head
        self._body: list[bytes] = []
        self._parser = httptools.HttpResponseParser(self)

    @property
    def http_version(self) -> bytes:
        return self._parser.get_http_version().encode()

    def feed(self, data: bytes) -> None:
        "Parse data from the server. No data means that it closed the connection. Raises RemoteProtocolError."
        if not data:
            self._end_of_connection()
            return
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self.can_be_reused = False
            if not self.is_complete:  # otherwise the error is in unexpected data after the response
                raise httpcore.RemoteProtocolError(f"invalid HTTP response: {error}") from error

    def take_body(self) -> bytes:
        "Return the data of the body that was parsed since the last call."
        data = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        self._body.clear()
        return data

    def _end_of_connection(self) -> None:
        if not self.has_headers:
            raise httpcore.RemoteProtocolError("the server closed the connection without a response")
        names = {name.lower() for name, _ in self.headers}
        if names & {b"content-length", b"transfer-encoding"}:
            raise httpcore.RemoteProtocolError("the server closed the connection before the response ended")
        self.is_complete = True  # a body of unknown length ends with the connection

    def on_message_begin(self) -> None:
        if self.is_complete:
            raise ValueError("a second response")  # httptools turns it into its own error
        self.reason, self.headers = b"", []

    def on_status(self, status: bytes) -> None:
        self.reason += status

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        self.status = self._parser.get_status_code()
        self.has_headers = self.status >= 200  # an informational response precedes the real one
        self.is_complete = self.has_headers and self._is_head

    def on_body(self, data: bytes) -> None:
        self._body.append(data)

    def on_message_complete(self) -> None:
        if self.has_headers:
            self.is_complete = True
            self.can_be_reused = self._parser.should_keep_alive()


async def send_request(
    request: httpcore.Request, stream: httpcore.AsyncNetworkStream, timeout: float | None
) -> None:
    """Send the request, with the framing that its headers announce.

    Raises LocalProtocolError for a header that cannot be sent, and WriteTimeout.
    """
    lines = [b"%s %s HTTP/1.1" % (request.method, request.url.target)]
    for name, value in request.headers:
        if not {*b"\r\n\0"}.isdisjoint(name + value):
            raise httpcore.LocalProtocolError(f"the header {name!r} contains a line break")
        lines.append(b"%s: %s" % (name, value))
    is_chunked = any(name.lower() == b"transfer-encoding" for name, _ in request.headers)
    data = b"\r\n".join([*lines, b"", b""])
    # A server may answer and close the connection before it has read the whole request.
    with suppress(httpcore.WriteError):
        async for part in cast(AsyncIterable[bytes], request.stream):
            if part:
                frame = b"%x\r\n%s\r\n" % (len(part), part) if is_chunked else part
                await stream.write(data + frame, timeout)
                data = b""
        data += b"0\r\n\r\n" if is_chunked else b""
        if data:
            await stream.write(data, timeout)
