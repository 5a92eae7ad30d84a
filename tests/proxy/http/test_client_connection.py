"Clients that leave without a word, or no longer read, while the server sends to them."

from __future__ import annotations

import asyncio
import logging
import socket
import struct
from collections.abc import AsyncIterator
from typing import Any

import pytest
import uvicorn
from support.uvicorn_server import serving

from proxy.http import client_connection, protocol, websocket_protocol
from proxy.http.client_connection import ClientConnection
from proxy.http.protocol import HTTP11Protocol
from proxy.http.websocket_protocol import WebSocketProtocol

PATIENCE = 30
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
HANDSHAKE = (
    b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
# An empty close frame of a client, which is masked.
CLOSE_FRAME = b"\x88\x80abcd"
PIECE = bytes(2**16)


class Served:
    """An application that sends without end.

    `stalled` is set when its client no longer takes anything, `notified` when the application learns that the
    client has left, and `lost` when the connection is gone.
    """

    config: uvicorn.Config

    def __init__(self) -> None:
        self.stalled, self.notified, self.lost = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.listener = socket.create_server(("127.0.0.1", 0))

    async def app(self, scope: Any, receive: Any, send: Any) -> None:
        sending = asyncio.ensure_future(self._send(scope["type"], send))
        while not (await receive())["type"].endswith(".disconnect"):
            pass
        self.notified.set()
        sending.cancel()
        await asyncio.wait({sending})

    async def _send(self, kind: str, send: Any) -> None:
        if kind == "websocket":
            await send({"type": "websocket.accept"})
            while True:
                await send({"type": "websocket.send", "bytes": PIECE})
        await send({"type": "http.response.start", "status": 200})
        while True:
            await send({"type": "http.response.body", "body": PIECE, "more_body": True})

    def recording(self, kind: type[Any]) -> type[Any]:
        class Recording(kind):
            def pause_writing(recorded) -> None:
                super().pause_writing()
                self.stalled.set()

            def resume_writing(recorded) -> None:
                super().resume_writing()
                self.stalled.clear()

            def connection_lost(recorded, exc: Exception | None) -> None:
                super().connection_lost(exc)
                self.lost.set()

        return Recording

    async def stalls(self) -> None:
        "Wait until the system's buffers are full, too."
        while True:
            await asyncio.wait_for(self.stalled.wait(), PATIENCE)
            await asyncio.sleep(0.05)
            if self.stalled.is_set():
                return

    def connect(self, request: bytes) -> socket.socket:
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(self.listener.getsockname())
        client.sendall(request)
        return client


@pytest.fixture
async def server(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Served]:
    served = Served()
    http, websocket = served.recording(HTTP11Protocol), served.recording(WebSocketProtocol)
    async with serving(served.app, [served.listener], http, websocket) as (_, served.config):
        yield served


def half_close(client: socket.socket) -> None:
    client.shutdown(socket.SHUT_WR)


def close(client: socket.socket) -> None:
    client.close()


def reset(client: socket.socket) -> None:
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


def send_close_frame(client: socket.socket) -> None:
    client.sendall(CLOSE_FRAME)


@pytest.mark.parametrize(
    ("request_", "leave"),
    [
        *(pytest.param(GET, way, id=f"HTTP, {way.__name__}") for way in (half_close, close, reset)),
        *(
            pytest.param(HANDSHAKE, way, id=f"WebSocket, {way.__name__}")
            for way in (half_close, close, reset, send_close_frame)
        ),
    ],
)
async def test_a_client_that_does_not_read_and_leaves(
    server: Served, request_: bytes, leave: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (client_connection, protocol, websocket_protocol):
        monkeypatch.setattr(module, "LINGER_SECONDS", 0.05)
    with server.connect(request_) as client:
        await server.stalls()
        leave(client)
        await asyncio.wait_for(server.notified.wait(), PATIENCE)
        await asyncio.wait_for(server.lost.wait(), PATIENCE)


@pytest.mark.parametrize("request_", [GET, HANDSHAKE], ids=["HTTP", "WebSocket"])
async def test_a_client_that_stops_reading(server: Served, request_: bytes) -> None:
    server.config.timeout_keep_alive = 0.05  # type: ignore[assignment]
    with server.connect(request_):
        await asyncio.wait_for(server.notified.wait(), PATIENCE)
        await asyncio.wait_for(server.lost.wait(), PATIENCE)


async def test_a_websocket_that_does_not_answer_pings(server: Served) -> None:
    server.config.ws_ping_interval = server.config.ws_ping_timeout = 0.05
    with server.connect(HANDSHAKE):
        await asyncio.wait_for(server.notified.wait(), PATIENCE)


async def test_what_is_written_to_a_client_that_has_left_is_not_logged(
    server: Served, caplog: pytest.LogCaptureFixture
) -> None:
    with server.connect(GET):
        await server.stalls()
    logging.getLogger("asyncio").warning("socket.send() raised exception.")
    assert not caplog.records


class Transport(asyncio.Transport):
    "A transport whose client takes what the test says."

    def __init__(self, *unsent: int) -> None:
        super().__init__()
        self.unsent = list(unsent)
        self.aborted = False

    def get_write_buffer_size(self) -> int:
        return self.unsent.pop(0) if len(self.unsent) > 1 else self.unsent[0]

    def abort(self) -> None:
        self.aborted = True


class Timers:
    "An event loop whose timers end at once, one after the other, when `run` is called."

    def __init__(self) -> None:
        self.calls: list[Any] = []

    def call_later(self, seconds: float, function: Any, *arguments: Any) -> Timers:
        self.calls.append((function, arguments))
        return self

    def cancel(self) -> None:
        "The timer that is cancelled has ended already."

    def run(self) -> None:
        while self.calls:
            function, arguments = self.calls.pop(0)
            function(*arguments)


@pytest.mark.parametrize(
    ("unsent", "aborted"),
    [
        pytest.param([9, 5, 5, 3, 3, 0], False, id="slow"),
        pytest.param([9, 5, 5, 5], True, id="stopped"),
        pytest.param([0], False, id="nothing to send"),
    ],
)
def test_a_slow_client_has_time(unsent: list[int], aborted: bool) -> None:
    connection = ClientConnection()
    transport, timers = Transport(*unsent), Timers()
    connection.transport, connection.loop = transport, timers  # type: ignore[assignment]
    connection.abort_if_stalled(1)
    timers.run()
    assert transport.aborted == aborted
