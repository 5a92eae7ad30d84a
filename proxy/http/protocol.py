"""uvicorn's HTTP protocol, changed where clients lose time, the body of a request, or a connection."""

from __future__ import annotations

import asyncio
import logging
from http import HTTPStatus
from typing import Any

import httptools
from starlette.responses import Response
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from websockets.http11 import MAX_LINE_LENGTH, MAX_NUM_HEADERS

from .client_connection import LINGER_SECONDS, ClientConnection
from .errors import ApiError, openai_response

# uvicorn logs this error for each handshake that is answered with 401 or 403. It does not say which.
REFUSED_HANDSHAKE = "ASGI callable returned without completing handshake."
# Bytes of a request's head that are kept while its end has not arrived. Nobody has sent a key yet.
MAX_HEAD = 64 * 2**10


class HTTP11Protocol(ClientConnection, HttpToolsProtocol):
    """Ignores offers to change to HTTP/2, and closes idle connections gently.

    It limits the head of a request, and the time until it is complete: the keep-alive timeout, which uvicorn
    uses only after an answer. It drops trailers, the headers after a chunked body, which uvicorn would take
    for headers.
    """

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.parser = RequestParser(self)
        self._half_closed = False
        self._in_head = True
        self._unfinished = 0  # bytes since a part of a request was complete
        self._head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_head_timer()
        super().connection_lost(exc)

    def client_left(self) -> None:
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
            self.flow.resume_writing()

    def shutdown(self) -> None:
        self.begin_stop()
        super().shutdown()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self.abort_if_stalled(self.timeout_keep_alive)

    def data_received(self, data: bytes) -> None:
        if self._half_closed:
            return
        self._unfinished += len(data)
        super().data_received(data)
        if self._unfinished > MAX_HEAD and not self.transport.is_closing():
            self._refuse(
                f"The head of the request is longer than {MAX_HEAD // 2**10} KiB. "
                "Send fewer and shorter headers, and a shorter URL."
            )

    def on_message_begin(self) -> None:
        self._in_head = True
        self._wait_for_head()
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._in_head, self._unfinished = False, 0
        self._stop_head_timer()
        if not self.ignores_upgrade():
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._unfinished = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._unfinished = 0
        if not self.ignores_upgrade():
            super().on_message_complete()

    def _should_upgrade(self) -> bool:
        "Only a GET without a body changes to WebSocket. uvicorn would never answer another."
        lengths = {value for name, value in self.headers if name in (b"content-length", b"transfer-encoding")}
        return self.parser.get_method() == b"GET" and lengths <= {b"0"} and super()._should_upgrade()

    def handle_websocket_upgrade(self) -> None:
        "Let websockets read the handshake, unless it is over its limits: then it would never answer."
        lines = [len(self.url) + len("GET  HTTP/1.1\r\n")]
        lines += [len(name) + len(value) + len(": \r\n") for name, value in self.headers]
        if len(self.headers) <= MAX_NUM_HEADERS and max(lines) <= MAX_LINE_LENGTH:
            self.logger.addFilter(is_no_refused_handshake)
            super().handle_websocket_upgrade()
            return
        self._refuse(
            f"A WebSocket handshake has at most {MAX_NUM_HEADERS} headers, and {MAX_LINE_LENGTH} characters "
            "in each line."
        )

    def _refuse(self, message: str) -> None:
        "Answer that the head is too large, and close the connection."
        self.transport.write(to_bytes(openai_response(ApiError(431, message))))
        self.transport.close()

    def ignores_upgrade(self) -> bool:
        "Return whether the request offers another protocol, and not WebSocket."
        return self.parser.should_upgrade() and not self._should_upgrade()

    def head_without_upgrade(self) -> bytes:
        "Return the head of the request that the parser read last, without its `Upgrade` headers."
        method, version = self.parser.get_method(), self.parser.get_http_version().encode()
        lines = [b"%s %s HTTP/%s" % (method, self.url, version)]
        lines += [b"%s: %s" % header for header in self.headers if header[0] != b"upgrade"]
        return b"\r\n".join([*lines, b"", b""])

    def _wait_for_head(self) -> None:
        self._stop_head_timer()
        self._head_timer = self.loop.call_later(self.timeout_keep_alive, self._end_wait_for_head)

    def _stop_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _end_wait_for_head(self) -> None:
        "Close the connection, unless the request before is still being answered."
        if self.cycle is None or self.cycle.response_complete:
            self.timeout_keep_alive_handler()
        else:
            self._wait_for_head()

    def timeout_keep_alive_handler(self) -> None:
        """Close an idle connection: first our side, and the other when the client has closed its own.

        A request that is on its way would be answered by a reset if the socket were closed at once.
        """
        self._half_closed = True
        self.transport.write_eof()
        self.timeout_keep_alive_task = self.loop.call_later(LINGER_SECONDS, self._close_idle)

    def _close_idle(self) -> None:
        self.transport.close()
        self.abort_if_stalled(LINGER_SECONDS)


def is_no_refused_handshake(record: logging.LogRecord) -> bool:
    return record.msg != REFUSED_HANDSHAKE


def to_bytes(response: Response) -> bytes:
    "Return the response as HTTP/1.1, the last one of its connection."
    lines = [b"HTTP/1.1 %d %s" % (response.status_code, HTTPStatus(response.status_code).phrase.encode())]
    lines += [b"%s: %s" % header for header in (*response.raw_headers, (b"connection", b"close"))]
    return b"\r\n".join([*lines, b"", bytes(response.body)])


class RequestParser(httptools.HttpRequestParser):
    """Reads requests that offer another protocol as if they did not.

    llhttp stops after the head of such a request, and would read its body as the next request. So the head is
    read once more, without the offer.
    """

    def __init__(self, protocol: HTTP11Protocol) -> None:
        self._protocol = protocol
        self._reset()

    def _reset(self) -> None:
        super().__init__(self._protocol)
        # As in uvicorn: what follows `Connection: close` is skipped, and is no error of that request.
        self.set_dangerous_leniencies(lenient_data_after_close=True)

    def feed_data(self, data: bytes) -> None:  # type: ignore[override]
        rest = memoryview(data)
        while True:
            try:
                return super().feed_data(rest)
            except httptools.HttpParserUpgrade as stopped:
                if not self._protocol.ignores_upgrade():
                    raise
                if self.get_method() == b"CONNECT":  # what follows belongs to no request
                    raise httptools.HttpParserError("CONNECT is for proxies") from stopped
                rest = rest[stopped.args[0] :]
            head = self._protocol.head_without_upgrade()
            self._reset()
            super().feed_data(head)
