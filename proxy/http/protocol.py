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
from .connection_limit import SecondlyWarning, max_connections
from .errors import SERVER, ApiError, openai_response
from .line_limit import INVALID_REQUESTS

# uvicorn logs this error for each handshake that is answered with 401 or 403. It does not say which.
REFUSED_HANDSHAKE = "ASGI callable returned without completing handshake."
# Seconds that a client may pause while it sends a body.
BODY_SECONDS = 60
# Seconds that a client has to read why it is refused.
REFUSAL_SECONDS = 1
# Bytes of a request's head that are kept while its end has not arrived. Nobody has sent a key yet.
MAX_HEAD = 64 * 2**10


class HTTP11Protocol(ClientConnection, HttpToolsProtocol):
    """Ignores offers to change to HTTP/2, and closes idle connections gently.

    It limits the head of a request, and the time until it is complete: the keep-alive timeout, which uvicorn
    uses only after an answer. A body may pause for BODY_SECONDS. Trailers, the headers after a chunked body,
    are dropped, because uvicorn would take them for headers.

    If there are too many connections, a new one replaces the one that has been idle longest. It is refused if
    all others are in use.
    """

    _warn_of_limit = SecondlyWarning()

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.logger.addFilter(INVALID_REQUESTS)
        self.parser = RequestParser(self)
        self._half_closed = False
        self._in_head = True
        self._unfinished = 0  # bytes since a part of a request was complete
        self._head_timer: asyncio.TimerHandle | None = None
        self._in_body = False
        self._body_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._idle_since = self.loop.time()
        self._wait_for_head()
        if len(self.connections) > max_connections():
            self._make_room()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_head_timer()
        self._stop_body_timer()
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
        self._idle_since = self.loop.time()
        self.abort_if_stalled(self.timeout_keep_alive)

    def data_received(self, data: bytes) -> None:
        if self._half_closed:
            return
        self._unfinished += len(data)
        self._received_at = self.loop.time()
        super().data_received(data)
        if self._in_body and self._body_timer is None:
            self._body_timer = self.loop.call_later(BODY_SECONDS, self._check_body)
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
        self._in_body = True
        if not self.ignores_upgrade():
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._unfinished = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._unfinished = 0
        self._in_body = False
        self._stop_body_timer()
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
            self._in_body = False
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

    @property
    def _is_idle(self) -> bool:
        "Whether this connection can be closed without cutting an answer."
        return self.cycle is None or self.cycle.response_complete

    def _make_room(self) -> None:
        others = (each for each in self.connections if isinstance(each, HTTP11Protocol) and each is not self)
        idle = [each for each in others if each._is_idle and not each.transport.is_closing()]
        if idle:
            min(idle, key=lambda each: each._idle_since).transport.close()
            self._warn_of_limit(
                "There are %d connections. Those that are idle are closed.", len(self.connections)
            )
            return
        self._warn_of_limit(
            "There are %d connections, all in use. New ones are refused.", len(self.connections)
        )
        message = "Too many clients are connected. Try again in a moment."
        error = ApiError(503, message, SERVER, "too_many_connections", headers={"Retry-After": "2"})
        self.transport.write(to_bytes(openai_response(error)))
        self._half_close(REFUSAL_SECONDS)

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
        if self._is_idle:
            self.timeout_keep_alive_handler()
        else:
            self._wait_for_head()

    def _stop_body_timer(self) -> None:
        if self._body_timer is not None:
            self._body_timer.cancel()
            self._body_timer = None

    def _check_body(self) -> None:
        "Close the connection if no data arrived for so long, although the application waits for it."
        self._body_timer = None
        left = self._received_at + BODY_SECONDS - self.loop.time()
        if left <= 0 and not self.flow.read_paused:
            self.client_left()
            self.transport.close()
        elif self._in_body:
            self._body_timer = self.loop.call_later(left if left > 0 else BODY_SECONDS, self._check_body)

    def timeout_keep_alive_handler(self) -> None:
        """Close an idle connection: first our side, and the other when the client has closed its own.

        A request that is on its way would be answered by a reset if the socket were closed at once.
        """
        self._half_close(LINGER_SECONDS)

    def _half_close(self, seconds: float) -> None:
        self._half_closed = True
        self.transport.write_eof()
        self.timeout_keep_alive_task = self.loop.call_later(seconds, self._close_idle)

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
