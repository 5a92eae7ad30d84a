"Connections to a server in this process, byte by byte. Its application answers with what it received."

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httptools
import pytest
import uvicorn
from support.uvicorn_server import serving
from websockets.asyncio.client import connect

from proxy.http import body_pace, protocol, websocket_protocol
from proxy.http.body_budget import BodyBudget
from proxy.http.connection_limit import SecondlyWarning
from proxy.http.errors import ApiError
from proxy.http.line_limit import INVALID_REQUEST, INVALID_REQUESTS
from proxy.http.protocol import MAX_HEAD, HTTP11Protocol
from proxy.http.websocket_protocol import MAX_FRAMES


async def app(scope: Any, receive: Any, send: Any) -> None:
    if scope["path"] == "/refused":
        await send({"type": "websocket.http.response.start", "status": 403, "headers": []})
        await send({"type": "websocket.http.response.body", "body": b"refused"})
        return
    if scope["type"] == "websocket":
        await receive()
        scope["state"]["actor"] = "one of several"
        await send({"type": "websocket.accept"})
        if (message := await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": message["text"]})
            await send({"type": "websocket.close"})
        return
    body, more = b"", True
    while more:
        message = await receive()
        assert message["type"] == "http.request"
        body, more = body + message["body"], message["more_body"]
    names = [name.decode() for name, _ in scope["headers"]]
    answer = json.dumps([scope["method"], scope["path"], body.decode(), names]).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [length(answer)]})
    await send({"type": "http.response.body", "body": answer})


def length(body: bytes) -> tuple[bytes, bytes]:
    return b"content-length", str(len(body)).encode()


PATIENCE = 10
Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Served:
    "Where the server listens, and the connections and packets that it got, in their order."

    config: uvicorn.Config

    def __init__(self, path: Path) -> None:
        self.listeners = [socket.socket(), socket.socket(socket.AF_UNIX)]
        self.listeners[0].bind(("127.0.0.1", 0))
        self.listeners[1].bind(str(path))
        self.address: tuple[str, int] = self.listeners[0].getsockname()
        self.accepted: asyncio.Queue[HTTP11Protocol] = asyncio.Queue()
        self.received: asyncio.Queue[bytes] = asyncio.Queue()
        self.lost: asyncio.Queue[HTTP11Protocol] = asyncio.Queue()
        self.released = asyncio.Event()

    async def app(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/slow":
            await self.released.wait()
        await app(scope, receive, send)

    def protocol(self) -> type[HTTP11Protocol]:
        class RecordingProtocol(HTTP11Protocol):
            def connection_made(recorded, transport: asyncio.Transport) -> None:  # type: ignore[override]
                super().connection_made(transport)
                self.accepted.put_nowait(recorded)

            def data_received(recorded, data: bytes) -> None:
                super().data_received(data)
                self.received.put_nowait(data)

            def connection_lost(recorded, exc: Exception | None) -> None:
                super().connection_lost(exc)
                self.lost.put_nowait(recorded)

        return RecordingProtocol


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Served]:
    served = Served(tmp_path / "socket")
    async with serving(served.app, served.listeners, served.protocol()) as (running, served.config):
        yield served
        for connection in [*running.server_state.connections]:
            connection.shutdown()


async def test_writes_are_sent_without_delay(server: Served) -> None:
    for listener in server.listeners:
        _, writer = await {socket.AF_INET: tcp, socket.AF_UNIX: unix}[listener.family](listener)
        connection = (await server.accepted.get()).transport.get_extra_info("socket")
        assert connection.family == listener.family
        if connection.family == socket.AF_INET:
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        writer.close()


async def tcp(listener: socket.socket) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection(*listener.getsockname())


async def unix(listener: socket.socket) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_unix_connection(listener.getsockname())


class Responses:
    "The status and the body of each response in some bytes."

    def __init__(self, data: bytes) -> None:
        self.all: list[tuple[int, Any]] = []
        self.body = b""
        self._parser = httptools.HttpResponseParser(self)
        self._parser.feed_data(data)

    def on_message_begin(self) -> None:
        self.body = b""

    def on_body(self, data: bytes) -> None:
        self.body += data

    def on_message_complete(self) -> None:
        status = self._parser.get_status_code()
        self.all.append((status, json.loads(self.body)[:3] if status == 200 else None))


# The last request of each connection. Its response shows that nothing was left over from the ones before.
LAST = b"GET /last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
END = (200, ["GET", "/last", ""])


async def exchange(server: Served, *packets: bytes) -> list[tuple[int, Any]]:
    "Return the responses to these packets, until the server closes the connection."
    return Responses(await exchange_bytes(server, *packets)).all


async def exchange_bytes(server: Served, *packets: bytes) -> bytes:
    "Send each packet when the server has read the one before."
    reader, writer = await tcp(server.listeners[0])
    try:
        for packet in packets:
            writer.write(packet)
            read = 0
            while read < len(packet):
                read += len(await asyncio.wait_for(server.received.get(), PATIENCE))
        return await asyncio.wait_for(reader.read(), PATIENCE)
    finally:
        writer.close()


OFFERS = [
    pytest.param(
        "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAAAAIAAAAB", id="h2c"
    ),
    pytest.param("Upgrade: h2c\r\nHTTP2-Settings: AAEAAEAAAAIAAAAB", id="h2c without Connection"),
    pytest.param("Upgrade: h2c\r\nConnection: keep-alive", id="h2c with another Connection"),
    pytest.param("Connection: Upgrade", id="Connection without Upgrade"),
    pytest.param("Connection: upgrade\r\nUpgrade: TLS/1.0", id="TLS"),
    pytest.param("connection: keep-alive,UPGRADE\r\nupgrade: foo", id="unknown"),
    pytest.param("Connection: Upgrade\r\nUpgrade:", id="empty"),
    pytest.param("Connection: Upgrade\r\nUpgrade: h2c, TLS/1.0, foo/2", id="several"),
    pytest.param("Connection: Upgrade\r\nUpgrade: websocket, h2c", id="WebSocket or h2c"),
    pytest.param("Connection: Upgrade\r\nUpgrade: foo\r\nUpgrade: h2c", id="two headers"),
    pytest.param("Connection: Upgrade\r\nConnection: keep-alive\r\nUpgrade: websocket", id="two Connections"),
    pytest.param("Upgrade: websocket", id="WebSocket without Connection"),
]
# What looks like another request, so that a body that is read twice shows.
SMUGGLED = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
BODIES = [
    pytest.param("GET", "", "", id="GET"),
    pytest.param("POST", "Content-Length: 0\r\n", "", id="empty"),
    pytest.param("POST", "", "", id="no length"),
    pytest.param("POST", f"X-Empty:\r\nContent-Length: {len(SMUGGLED)}\r\n", SMUGGLED, id="length"),
    pytest.param(
        "POST",
        "Transfer-Encoding: chunked\r\n",
        f"5\r\n{SMUGGLED[:5]}\r\n{len(SMUGGLED) - 5:x};x=y\r\n{SMUGGLED[5:]}\r\n0\r\nX-Trailer: a\r\n\r\n",
        id="chunked",
    ),
]


def request(method: str, offer: str, headers: str, body: str) -> tuple[bytes, bytes, tuple[int, Any]]:
    "Return the head, the body, and the answer."
    head = f"{method} /a%20b?c=d HTTP/1.1\r\nHost: a\r\n{offer}\r\nAccept: */*\r\n{headers}\r\n"
    return head.encode(), body.encode(), (200, [method, "/a b", SMUGGLED if body else ""])


@pytest.mark.parametrize(("method", "headers", "body"), BODIES)
@pytest.mark.parametrize("offer", OFFERS)
class TestOffers:
    async def test_the_request_is_answered(
        self, server: Served, offer: str, method: str, headers: str, body: str
    ) -> None:
        head, content, answer = request(method, offer, headers, body)
        assert await exchange(server, head + content, LAST) == [answer, END]
        assert await exchange(server, head, content, LAST) == [answer, END]

    async def test_pipelined_requests(
        self, server: Served, offer: str, method: str, headers: str, body: str
    ) -> None:
        head, content, answer = request(method, offer, headers, body)
        plain, other, plain_answer = request("POST", "X-Plain: a", headers, body)
        packet = (head + content) * 2 + plain + other + head + content + LAST
        expected = [answer, answer, plain_answer, answer, END]
        if method == "GET":
            expected[2] = (200, ["POST", "/a b", ""])
        assert await exchange(server, packet) == expected


H2C = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA"


@pytest.mark.parametrize(("method", "headers", "body"), BODIES)
async def test_every_cut(server: Served, method: str, headers: str, body: str) -> None:
    head, content, answer = request(method, H2C, headers, body)
    whole = head + content + LAST
    for cut in range(1, len(whole)):
        assert await exchange(server, whole[:cut], whole[cut:]) == [answer, END]
    assert await exchange(server, *(bytes([byte]) for byte in whole)) == [answer, END]


async def test_the_application_does_not_see_the_offer(server: Served) -> None:
    answer = await exchange_bytes(
        server, f"GET / HTTP/1.1\r\nHost: a\r\n{H2C}\r\nX-A: 1\r\nConnection: close\r\n\r\n".encode()
    )
    assert json.loads(answer.split(b"\r\n\r\n")[1])[3] == [
        "host",
        "connection",
        "http2-settings",
        "x-a",
        "connection",
    ]


@pytest.mark.parametrize(
    "head",
    [
        pytest.param("POST / HTTP/1.1\r\nConnection: close, Upgrade", id="close"),
        pytest.param("POST / HTTP/1.0\r\nConnection: Upgrade", id="HTTP/1.0"),
    ],
)
async def test_the_connection_closes_as_without_an_offer(server: Served, head: str) -> None:
    whole = f"{head}\r\nUpgrade: h2c\r\nContent-Length: 4\r\n\r\nabcd".encode()
    assert await exchange(server, whole + LAST) == [(200, ["POST", "/", "abcd"])]


@pytest.mark.parametrize(
    "whole",
    [
        pytest.param("Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", id="two lengths"),
        pytest.param("Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcde", id="two Content-Lengths"),
        pytest.param("Content-Length: four\r\n\r\nabcd", id="no number"),
        pytest.param("X-A: b\r\n Content-Length: 4\r\n\r\nabcd", id="folded header"),
    ],
)
async def test_invalid_requests(server: Served, whole: str) -> None:
    data = f"POST / HTTP/1.1\r\nHost: a\r\n{H2C}\r\n{whole}".encode()
    assert await exchange(server, data + LAST) == [(400, None)]


@pytest.mark.parametrize("target", ["/", "*", "a:1", "http://a/"])
async def test_connect(server: Served, target: str) -> None:
    head = f"CONNECT {target} HTTP/1.1\r\nHost: a\r\n{H2C}\r\nContent-Length: {len(LAST)}\r\n\r\n".encode()
    assert await exchange(server, head + LAST) == [(400, None)]


async def test_many_pipelined_offers(server: Served) -> None:
    head, _, answer = request("GET", H2C, "", "")
    assert await exchange(server, head * 1500 + LAST) == [answer] * 1500 + [END]


@pytest.mark.parametrize("headers", [{}, {"Content-Length": "0"}], ids=["plain", "empty body"])
async def test_websocket(server: Served, headers: dict[str, str]) -> None:
    host, port = server.address
    async with connect(f"ws://{host}:{port}/", proxy=None, additional_headers=headers) as client:
        await client.send("Hello")
        assert await client.recv() == "Hello"


HANDSHAKE = """GET {path} HTTP/1.1
Host: a
Connection: Upgrade
Upgrade: websocket
Sec-WebSocket-Version: 13
Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==
{headers}
"""


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        pytest.param("/", "X: 1\n" * 123, 101, id="128 headers"),
        pytest.param("/", "X: 1\n" * 124, 431, id="129 headers"),
        pytest.param("/", f"X: {'a' * 8187}\n", 101, id="a line of 8192"),
        pytest.param("/", f"X: {'a' * 8188}\n", 431, id="a line of 8193"),
        pytest.param(f"/{'a' * 8176}", "", 101, id="a path of 8177"),
        pytest.param(f"/{'a' * 8177}", "", 431, id="a path of 8178"),
    ],
)
async def test_limits_of_a_websocket_handshake(server: Served, path: str, headers: str, status: int) -> None:
    reader, writer = await asyncio.open_connection(*server.address)
    writer.write(HANDSHAKE.format(path=path, headers=headers).replace("\n", "\r\n").encode())
    head = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), PATIENCE)).decode()
    assert head.split()[1] == str(status)
    if status == 431:
        answer = json.loads(await asyncio.wait_for(reader.read(), PATIENCE))
        assert "at most 128 headers, and 8192 characters" in answer["error"]["message"]
        assert "connection: close" in head
    writer.close()


@pytest.mark.parametrize(
    ("frames", "closing"),
    [
        pytest.param(b"\x81\x82" + bytes(4) + b"\xff\xff", b"\x03\xef", id="no UTF-8"),
        pytest.param(
            b"\x01\x80" + bytes(4) + (b"\x00\x80" + bytes(4)) * MAX_FRAMES,
            b"\x03\xf1A message has at most 1000 frames.",
            id="frames without end",
        ),
    ],
)
async def test_a_message_that_cannot_be_read(
    server: Served, frames: bytes, closing: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    reader, writer = await asyncio.open_connection(*server.address)
    writer.write(HANDSHAKE.format(path="/", headers="").replace("\n", "\r\n").encode())
    await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), PATIENCE)
    writer.write(frames)
    assert await asyncio.wait_for(reader.read(), PATIENCE) == b"\x88" + bytes([len(closing)]) + closing
    assert not [record for record in caplog.records if record.exc_info]
    writer.close()


async def test_messages_without_end_count_in_the_budget(
    server: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    budget = BodyBudget(1000)
    monkeypatch.setattr(websocket_protocol, "BodyBudget", lambda: budget)
    reader, writer = await asyncio.open_connection(*server.address)
    writer.write(HANDSHAKE.format(path="/", headers="").replace("\n", "\r\n").encode())
    await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), PATIENCE)
    assert budget.held == 0
    writer.write(b"\x01\xfe" + (2000).to_bytes(2, "big") + bytes(4) + b"a" * 1000)
    closing = b"\x03\xf5The requests that the server holds have 0 MiB already."
    answer = await asyncio.wait_for(reader.read(), PATIENCE)
    assert answer[2:].startswith(closing)
    assert budget.held == 0
    writer.close()


async def test_a_message_that_trickles(server: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    "The pace is that of one message, and its memory counts for the client's actor."
    budget = BodyBudget(1000)
    monkeypatch.setattr(websocket_protocol, "BodyBudget", lambda: budget)
    reader, writer = await asyncio.open_connection(*server.address)
    writer.write(HANDSHAKE.format(path="/", headers="").replace("\n", "\r\n").encode())
    await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), PATIENCE)
    await asyncio.sleep(0.2)
    monkeypatch.setattr(body_pace, "FREE_SECONDS", 0.1)
    writer.write(b"\x01\xfe" + (2000).to_bytes(2, "big") + bytes(4) + b"a" * 400)
    while budget.held == 0:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    with pytest.raises(ApiError):
        budget.take(200, "one of several")
    await asyncio.sleep(0.2)
    writer.write(b"a")
    answer = await asyncio.wait_for(reader.read(), PATIENCE)
    assert answer[2:].startswith(b"\x03\xf0The body arrived too slowly")
    assert budget.held == 0
    writer.close()


async def test_a_refused_websocket_is_no_error_of_the_server(
    server: Served, caplog: pytest.LogCaptureFixture
) -> None:
    handshake = HANDSHAKE.format(path="/refused", headers="").replace("\n", "\r\n").encode()
    answer = await exchange_bytes(server, handshake)
    assert answer.startswith(b"HTTP/1.1 403 ")
    assert answer.endswith(b"refused")
    assert not caplog.records


async def test_invalid_websocket_handshake(server: Served) -> None:
    handshake = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    answer = await exchange_bytes(server, handshake + LAST)
    assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert answer.count(b"HTTP/1.1") == 1


@pytest.mark.parametrize(
    ("method", "headers", "body"),
    [*BODIES[1:], *(pytest.param("GET", *each.values[1:], id=f"GET with {each.id}") for each in BODIES[3:])],
)
async def test_a_request_that_cannot_become_a_websocket(
    server: Served, method: str, headers: str, body: str
) -> None:
    head, content, answer = request(method, "Connection: Upgrade\r\nUpgrade: websocket", headers, body)
    assert await exchange(server, head + content, LAST) == [answer, END]
    assert await exchange(server, head, content, LAST) == [answer, END]


class TestSlowHeads:
    "The head of a request has to be complete within the keep-alive timeout."

    async def connected(self, server: Served) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await tcp(server.listeners[0])
        (await server.accepted.get()).timeout_keep_alive = 0.02
        return reader, writer

    @pytest.mark.parametrize("start", ["G", "GET / HTTP/1.1\r\nHost: a\r\nX"], ids=["a byte", "no end"])
    async def test_a_head_that_stops(self, server: Served, start: str) -> None:
        reader, writer = await self.connected(server)
        writer.write(start.encode())
        assert await asyncio.wait_for(reader.read(), PATIENCE) == b""
        writer.close()

    async def test_a_client_that_sends_nothing(self, server: Served) -> None:
        server.config.timeout_keep_alive = 0
        reader, writer = await tcp(server.listeners[0])
        assert await asyncio.wait_for(reader.read(), PATIENCE) == b""
        writer.close()

    async def test_an_answer_under_way_is_not_cut(self, server: Served) -> None:
        reader, writer = await self.connected(server)
        writer.write(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\nGET / HT")
        await asyncio.sleep(0.1)
        server.released.set()
        answer = await asyncio.wait_for(reader.read(), PATIENCE)
        assert Responses(answer).all == [(200, ["GET", "/slow", ""])]
        writer.close()

    async def test_bodies_have_time(self, server: Served) -> None:
        reader, writer = await self.connected(server)
        writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n")
        await server.received.get()
        await asyncio.sleep(0.1)
        writer.write(b"ab")
        answer = await asyncio.wait_for(reader.read(), PATIENCE)
        assert Responses(answer).all == [(200, ["POST", "/", "ab"])]
        writer.close()

    async def test_a_websocket_stays_open(self, server: Served) -> None:
        reader, writer = await self.connected(server)
        writer.write(HANDSHAKE.format(path="/", headers="").replace("\n", "\r\n").encode())
        await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), PATIENCE)
        await asyncio.sleep(0.1)
        assert not reader.at_eof()
        writer.close()


class TestLargeHeads:
    @pytest.mark.parametrize(
        "start",
        [
            pytest.param("GET /", id="URL"),
            pytest.param("GET / HTTP/1.1\r\nHost: a\r\nX-A: ", id="header"),
            pytest.param("GET / HTTP/1.1\r\nHost: a\r\n" + "X-A: b\r\n" * 5000, id="headers"),
            pytest.param(f"GET / HTTP/1.1\r\nHost: a\r\n{H2C}\r\nX-A: ", id="offer"),
        ],
    )
    async def test_a_head_that_does_not_end(self, server: Served, start: str) -> None:
        packet = start.encode().ljust(MAX_HEAD + 1, b"a")
        head, _, answer = (await exchange_bytes(server, packet)).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 431 ")
        assert "longer than 64 KiB" in json.loads(answer)["error"]["message"]

    async def test_trailers_that_do_not_end(self, server: Served) -> None:
        head, body, _ = request("POST", "Transfer-Encoding: chunked", "", "0\r\nX-A: ")
        trailer = b"a" * (MAX_HEAD + 1 - len(body))
        assert (await exchange_bytes(server, head, body + trailer)).startswith(b"HTTP/1.1 431 ")

    async def test_the_limit(self, server: Served) -> None:
        start = b"GET / HTTP/1.1\r\nHost: a\r\nX-A: ".ljust(MAX_HEAD, b"a")
        assert await exchange(server, start, b"\r\n\r\n" + LAST) == [(200, ["GET", "/", ""]), END]

    async def test_bodies_and_many_requests_are_not_limited(self, server: Served) -> None:
        text = "a" * (MAX_HEAD - 100)
        long = f"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {3 * len(text)}\r\n\r\n{text}".encode()
        short = f"GET / HTTP/1.1\r\nHost: a\r\nX-A: {text}\r\n\r\n".encode()
        packets = [long, text.encode(), text.encode(), short, short, short, LAST]
        answers = [(200, ["POST", "/", text * 3]), *[(200, ["GET", "/", ""])] * 3, END]
        assert await exchange(server, *packets) == answers

    async def test_a_websocket_whose_handshake_is_long(self, server: Served) -> None:
        headers = f"X: {'a' * 8000}\n" * 12
        handshake = HANDSHAKE.format(path="/", headers=headers).replace("\n", "\r\n").encode()
        reader, writer = await asyncio.open_connection(*server.address)
        writer.write(handshake)
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), PATIENCE)
        assert head.startswith(b"HTTP/1.1 101 ")
        writer.close()


async def test_a_trailer_is_no_header(server: Served) -> None:
    head, body, _ = request(
        "POST", "Transfer-Encoding: chunked", "", "1\r\na\r\n0\r\nX-Api-Key: guess\r\nHost: b\r\n\r\n"
    )
    answer = await exchange_bytes(server, head + body + LAST)
    names = json.loads(answer.split(b"\r\n\r\n")[1].partition(b"HTTP/1.1")[0])[3]
    assert names == ["host", "transfer-encoding", "accept"]


class TestIdleConnections:
    async def idle(self, server: Served) -> tuple[socket.socket, HTTP11Protocol]:
        "Return a client that got an answer, and the server's side of its connection."
        client = socket.create_connection(server.address)
        client.setblocking(False)
        connection = await server.accepted.get()
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(client, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert (await loop.sock_recv(client, 65536)).startswith(b"HTTP/1.1 200")
        return client, connection

    async def test_a_request_that_races_with_the_end_is_not_reset(self, server: Served) -> None:
        client, connection = await self.idle(server)
        loop = asyncio.get_running_loop()
        with client:
            connection.timeout_keep_alive_handler()
            server.received.get_nowait()
            await loop.sock_sendall(client, LAST)
            assert await server.received.get() == LAST
            assert await loop.sock_recv(client, 65536) == b""  # it was not run, so the client may repeat it
            assert client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
            assert not connection.transport.is_closing()
        assert await asyncio.wait_for(server.lost.get(), PATIENCE) is connection

    async def test_a_client_that_does_not_close(
        self, server: Served, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(protocol, "LINGER_SECONDS", 0)
        client, connection = await self.idle(server)
        with client:
            connection.timeout_keep_alive_handler()
            assert await asyncio.wait_for(server.lost.get(), PATIENCE) is connection
            assert await asyncio.get_running_loop().sock_recv(client, 65536) == b""


class TestTooManyConnections:
    @pytest.fixture(autouse=True)
    def limit(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(protocol, "max_connections", lambda: 2)
        monkeypatch.setattr(HTTP11Protocol, "_warn_of_limit", SecondlyWarning())

    async def connected(self, server: Served, path: str = "") -> Connection:
        "A connection that is idle, or waits for the answer to a request."
        connection = await tcp(server.listeners[0])
        await server.accepted.get()
        if path:
            connection[1].write(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
            await server.received.get()
        return connection

    async def test_a_new_one_replaces_the_one_that_is_idle_longest(
        self, server: Served, caplog: pytest.LogCaptureFixture
    ) -> None:
        busy = await self.connected(server, "/slow")
        idle = await self.connected(server)
        for _ in range(3):
            new = await self.connected(server, "/")
            assert await asyncio.wait_for(idle[0].read(), PATIENCE) == b""
            await asyncio.wait_for(server.lost.get(), PATIENCE)
            assert await asyncio.wait_for(new[0].readuntil(b"]]"), PATIENCE)
            idle[1].close()
            idle = new
        server.released.set()
        assert await asyncio.wait_for(busy[0].readuntil(b"]]"), PATIENCE)
        assert [record.getMessage() for record in caplog.records] == [
            "There are 3 connections. Those that are idle are closed."
        ]
        for _, writer in (busy, idle):
            writer.close()

    async def test_a_new_one_is_refused_if_all_are_in_use(
        self, server: Served, caplog: pytest.LogCaptureFixture
    ) -> None:
        busy = [await self.connected(server, "/slow") for _ in range(2)]
        reader, writer = await self.connected(server)
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        head, _, body = (await asyncio.wait_for(reader.read(), PATIENCE)).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
        assert b"retry-after: 2" in head
        assert json.loads(body)["error"]["code"] == "too_many_connections"
        assert [record.getMessage() for record in caplog.records] == [
            "There are 3 connections, all in use. New ones are refused."
        ]
        for _, each in (*busy, (reader, writer)):
            each.close()


async def test_invalid_requests_are_one_line(
    server: Served, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(INVALID_REQUESTS, "_logged_at", float("-inf"))
    for _ in range(5):
        assert (await exchange_bytes(server, b"no HTTP\r\n\r\n")).startswith(b"HTTP/1.1 400 ")
    lines = [record.getMessage() for record in caplog.records]
    assert [line.partition(" And")[0] for line in lines] == [INVALID_REQUEST]


class TestSlowBodies:
    @pytest.fixture(autouse=True)
    def seconds(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(protocol, "BODY_SECONDS", 0.05)

    async def test_a_body_that_stops(self, server: Served) -> None:
        reader, writer = await tcp(server.listeners[0])
        writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nab")
        assert await asyncio.wait_for(reader.read(), PATIENCE) == b""
        writer.close()

    async def test_a_body_that_the_server_does_not_read(self, server: Served) -> None:
        reader, writer = await tcp(server.listeners[0])
        size = 2**20
        writer.write(b"POST /slow HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % size)
        writer.write(b"a" * size)
        await asyncio.sleep(0.2)
        server.released.set()
        assert (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), PATIENCE)).startswith(b"HTTP/1.1 200 ")
        writer.close()

    async def test_a_websocket_is_no_body(self, server: Served) -> None:
        reader, writer = await tcp(server.listeners[0])
        writer.write(HANDSHAKE.format(path="/", headers="").replace("\n", "\r\n").encode())
        await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), PATIENCE)
        await asyncio.sleep(0.2)
        assert not reader.at_eof()
        writer.close()
