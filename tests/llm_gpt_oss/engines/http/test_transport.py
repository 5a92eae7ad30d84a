"Large amounts of data, slow peers and peers that disconnect. test_client.py covers the rest."

from __future__ import annotations

import ast
import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpcore
import httpx
import pytest
from support.scripted_server import CUT, HOLD, Refusing, Reply, Scripted, answer, chunk, head

from llm_gpt_oss.engines.http import transport
from llm_gpt_oss.engines.http.transport import HTTPX_ERRORS, AsyncioBackend, AsyncioStream, LoopbackTransport

# Far more bytes than the operating system buffers for a connection that nobody reads.
LARGE = 64 * 2**20
HOST = "127.0.0.1"

ServerSide = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def connected(server_side: ServerSide) -> AsyncIterator[tuple[AsyncioStream, asyncio.Future[None]]]:
    "A stream to a peer, and a future that is done when the peer is. Both are closed at the end."
    done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await server_side(reader, writer)
            done.set_result(None)
        finally:
            writer.close()

    async with await asyncio.start_server(serve, HOST, 0) as server:
        stream = await AsyncioBackend().connect_tcp(HOST, server.sockets[0].getsockname()[1], 5)
        yield stream, done
        await stream.aclose()
        await asyncio.wait({done}, timeout=5)


async def read_all(stream: AsyncioStream) -> bytes:
    data = bytearray()
    while piece := await stream.read(2**16, 5):
        assert len(piece) <= 2**16
        data += piece
    return bytes(data)


async def test_httpx_uses_the_stream(play: Callable[..., Scripted]) -> None:
    loopback = LoopbackTransport(httpx.Limits())
    async with (
        httpx.AsyncClient(transport=loopback) as http,
        http.stream("GET", play(answer({})).url) as response,
    ):
        assert isinstance(response.extensions["network_stream"], AsyncioStream)
        assert await response.aread() == b"{}"


@pytest.mark.parametrize(
    "limits", [httpx.Limits(max_keepalive_connections=0), httpx.Limits(keepalive_expiry=0.01)]
)
async def test_limits_of_keepalive_connections(play: Callable[..., Scripted], limits: httpx.Limits) -> None:
    server = play((head(200, "Content-Length: 2"), b"{}", HOLD))
    async with httpx.AsyncClient(transport=LoopbackTransport(limits)) as http:
        await http.get(server.url)
        await asyncio.sleep(0.05)
        await http.get(server.url)
        assert server.gone.wait(10)


async def test_a_fast_sender_waits_for_a_slow_reader() -> None:
    pieces = [struct.pack(">I", number) * 2**14 for number in range(LARGE // 2**16)]
    sent = 0

    async def server_side(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            sent += 1
        writer.close()

    async with connected(server_side) as (stream, _):
        waits_at = -1
        while waits_at < sent:
            waits_at = sent
            await asyncio.sleep(0.2)
        assert sent < len(pieces) / 4  # the operating system buffers some of it
        assert await read_all(stream) == b"".join(pieces)


async def test_a_late_reader_gets_all_data() -> None:
    received = bytearray()

    async def server_side(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.1)
        while piece := await reader.read(2**20):
            received.extend(piece)
            if len(received) == 2 * LARGE:
                return

    async with connected(server_side) as (stream, read):
        for letter in (b"a", b"b"):
            await stream.write(letter * LARGE, 5)
        await read
    assert received == b"a" * LARGE + b"b" * LARGE


async def test_a_connect_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    async def hang(*_: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(asyncio.get_running_loop(), "create_connection", hang)
    with pytest.raises(httpcore.ConnectTimeout):
        await asyncio.wait_for(AsyncioBackend().connect_tcp(HOST, 1, 0.01), 5)


async def test_a_cancelled_request_closes_its_connection(play: Callable[..., Scripted]) -> None:
    server = play((HOLD,))
    async with httpx.AsyncClient(transport=LoopbackTransport(httpx.Limits())) as http:
        request = asyncio.ensure_future(http.get(server.url))
        while not server.requests:  # noqa: ASYNC110 - there is no event for it
            await asyncio.sleep(0.001)
        request.cancel()
        with pytest.raises(asyncio.CancelledError):
            await request
        assert await asyncio.to_thread(server.gone.wait, 2)


async def test_a_write_timeout() -> None:
    finished = asyncio.Event()

    async def server_side(*_: object) -> None:
        await finished.wait()

    async with connected(server_side) as (stream, _):
        with pytest.raises(httpcore.WriteTimeout):
            await stream.write(bytes(LARGE), 0.05)
        finished.set()


async def test_a_read_timeout() -> None:
    finished = asyncio.Event()

    async def server_side(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await finished.wait()
        writer.write(b"at last")
        await writer.drain()

    async with connected(server_side) as (stream, _):
        with pytest.raises(httpcore.ReadTimeout):
            await stream.read(2**16, 0.05)
        finished.set()
        assert await stream.read(2, 5) == b"at"
        assert await stream.read(2**16, 5) == b" last"
        assert await stream.read(2**16, 5) == b""


async def test_data_before_a_reset_can_be_read() -> None:
    reset = asyncio.Event()

    async def server_side(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"so far")
        await reset.wait()
        linger = struct.pack("ii", 1, 0)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        writer.transport.abort()

    async with connected(server_side) as (stream, gone):
        assert await stream.read(2, None) == b"so"
        reset.set()
        await gone
        await asyncio.sleep(0.05)
        assert await stream.read(2**16, 5) == b" far"
        with pytest.raises(httpcore.ReadError) as caught:
            await stream.read(2**16, 5)
        assert isinstance(caught.value.__cause__, ConnectionResetError)
        with pytest.raises(httpcore.WriteError):
            await stream.write(b"is anybody there?", 5)


async def test_a_peer_that_disconnects_during_a_large_write() -> None:
    async def server_side(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.transport.abort()

    async with connected(server_side) as (stream, _):
        with pytest.raises(httpcore.WriteError):
            await stream.write(bytes(LARGE), 5)


async def test_a_peer_that_answers_during_a_large_write() -> None:
    finished = asyncio.Event()

    async def server_side(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"too much")
        writer.write_eof()
        await finished.wait()

    async with connected(server_side) as (stream, _):
        with pytest.raises(httpcore.WriteError):
            await stream.write(bytes(LARGE), 5)
        assert await stream.read(2**16, 5) == b"too much"
        finished.set()


async def test_an_unused_connection_is_readable_when_data_arrives() -> None:
    timed_out, finished = asyncio.Event(), asyncio.Event()

    async def server_side(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await timed_out.wait()
        writer.write(b"HTTP/1.1 408 Request Timeout\r\n\r\n")
        await finished.wait()

    async with connected(server_side) as (stream, _):
        assert not stream.get_extra_info("is_readable")
        timed_out.set()
        await asyncio.sleep(0.1)
        assert stream.get_extra_info("is_readable")
        finished.set()


async def test_a_cancelled_read_loses_no_data() -> None:
    finished = asyncio.Event()

    async def server_side(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await finished.wait()
        writer.write(b"nobody waits")
        await writer.drain()

    async with connected(server_side) as (stream, _):
        reading = asyncio.create_task(stream.read(2**16, 5))
        await asyncio.sleep(0)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        finished.set()
        await asyncio.sleep(0.05)
        assert await read_all(stream) == b"nobody waits"


async def test_closing_ends_a_read_of_another_task() -> None:
    async def server_side(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    async with connected(server_side) as (stream, _):
        reading = asyncio.create_task(stream.read(2**16, 5))
        await asyncio.sleep(0)
        await stream.aclose()
        with pytest.raises(httpcore.ReadError, match="closed at this end"):
            await reading


async def test_data_that_arrives_twice_before_a_read() -> None:
    async def server_side(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    async with connected(server_side) as (stream, _):
        reading = asyncio.create_task(stream.read(2**16, 5))
        await asyncio.sleep(0)
        for piece in (b"one, ", b"two"):
            stream.data_received(piece)
        assert await reading == b"one, two"


async def test_reading_buffered_data_lets_other_tasks_run() -> None:
    async def server_side(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(bytes(1000))
        await writer.drain()

    async with connected(server_side) as (stream, sent):
        await sent
        assert await stream.read(1, 5)
        for _ in range(10):
            others = asyncio.create_task(asyncio.sleep(0))
            assert len(await stream.read(1, 5)) == 1
            await asyncio.sleep(0)
            assert others.done()


async def test_writes_to_a_closed_connection_fail_without_warnings(caplog: pytest.LogCaptureFixture) -> None:
    async def server_side(*_: object) -> None:
        pass

    async with connected(server_side) as (stream, _):
        assert await stream.read(1, 5) == b""
        for _ in range(10):
            with pytest.raises(httpcore.WriteError):
                await stream.write(b"hello?", 5)
    assert not caplog.records  # asyncio warns where other event loops raise


async def test_the_write_timeout_holds_while_data_arrives() -> None:
    finished = asyncio.Event()

    async def server_side(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while not finished.is_set():
            writer.write(b".")
            await asyncio.sleep(0.02)

    async with connected(server_side) as (stream, _):
        with pytest.raises(httpcore.WriteTimeout):
            await asyncio.wait_for(stream.write(bytes(LARGE), 0.1), 5)
        finished.set()


def test_an_end_that_the_event_loop_has_not_processed() -> None:
    async def is_readable(port: int) -> tuple[object, object]:
        stream = await AsyncioBackend().connect_tcp(HOST, port, 5)
        before = stream.get_extra_info("is_readable")
        taken, _ = listening.accept()
        taken.close()
        after = stream.get_extra_info("is_readable")
        await stream.aclose()
        return before, after

    with socket.create_server((HOST, 0)) as listening:
        assert asyncio.run(is_readable(listening.getsockname()[1])) == (False, True)


ERRORS: list[tuple[Reply, type[httpx.TransportError]]] = [
    ((head(200, "Transfer-Encoding: chunked"), chunk(b"a")), httpx.RemoteProtocolError),
    ((b"SSH-2.0\r\n",), httpx.RemoteProtocolError),
    ((CUT,), httpx.ReadError),
    ((HOLD,), httpx.ReadTimeout),
]


@pytest.mark.parametrize(
    ("reply", "error_type"), ERRORS, ids=["incomplete", "not HTTP", "reset", "silent server"]
)
async def test_errors_are_those_of_httpx(
    play: Callable[..., Scripted], reply: Reply, error_type: type[Exception]
) -> None:
    timeout = 0.2 if error_type is httpx.ReadTimeout else 10
    async with httpx.AsyncClient(transport=LoopbackTransport(httpx.Limits()), timeout=timeout) as http:
        with pytest.raises(error_type) as caught:
            await http.get(play(reply).url)
    assert type(caught.value) is error_type


async def test_a_refused_connection_is_httpx_connect_error() -> None:
    async with httpx.AsyncClient(transport=LoopbackTransport(httpx.Limits())) as http:
        with Refusing() as host, pytest.raises(httpx.ConnectError):
            await http.get(f"http://{host}")


async def test_a_full_pool_is_httpx_pool_timeout(play: Callable[..., Scripted]) -> None:
    loopback, timeout = LoopbackTransport(httpx.Limits(max_connections=1)), httpx.Timeout(10, pool=0.1)
    url = play((head(200, "Content-Length: 2"), HOLD)).url
    async with httpx.AsyncClient(transport=loopback, timeout=timeout) as http, http.stream("GET", url):
        with pytest.raises(httpx.PoolTimeout):
            await http.get(url)


def test_every_error_of_httpcore_has_one_of_httpx() -> None:
    bases = {httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError}
    leaves = {
        value
        for value in vars(httpcore).values()
        if isinstance(value, type) and issubclass(value, Exception) and value not in bases
    }
    # The pool handles the first one itself. The other two need a proxy.
    assert leaves - set(HTTPX_ERRORS) == {httpcore.ConnectionNotAvailable, httpcore.ProxyError}
    assert all(error.__name__ == HTTPX_ERRORS[error].__name__ for error in HTTPX_ERRORS)


def private_attributes(source: str) -> list[str]:
    "The private attributes of other objects than `self` and `cls`, and private names that are imported."
    names = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute) and not (
            isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")
        ):
            names.append(node.attr)
        elif isinstance(node, ast.ImportFrom):
            names += [part for alias in node.names for part in (*(node.module or "").split("."), alias.name)]
    return [name for name in names if name.startswith("_") and not name.startswith("__")]


def test_only_public_names_of_httpx_and_httpcore_are_used() -> None:
    assert private_attributes("http._pool = self._pool") == ["_pool"]
    assert private_attributes("from httpcore._async import x") == ["_async"]
    for path in (Path(transport.__file__).parents[1]).rglob("*.py"):
        if "httpx" in (source := path.read_text(encoding="utf-8")) or "httpcore" in source:
            assert private_attributes(source) == [], path


@pytest.fixture(params=[False, True], ids=["paused", "low-water mark"])
def wakes_at_end(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    wakes: bool = request.param
    if wakes and not AsyncioStream.wakes_at_end:
        pytest.skip("this system has no low-water mark")
    monkeypatch.setattr(AsyncioStream, "wakes_at_end", wakes)
    return wakes


@pytest.mark.usefixtures("wakes_at_end")
async def test_the_read_delay_joins_data_that_arrives_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    pieces: list[bytes] = []

    def data_received(self: AsyncioStream, data: bytes) -> None:
        pieces.append(data)
        original(self, data)

    original = AsyncioStream.data_received
    monkeypatch.setattr(AsyncioStream, "data_received", data_received)

    async def server_side(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        for letter in (b"a", b"b", b"c"):
            writer.write(letter)
            await asyncio.sleep(0)
        await reader.read()

    async with connected(server_side) as (stream, _):
        stream.read_delay = 0.05
        reading = asyncio.create_task(stream.read(2**16, 5))
        await asyncio.sleep(0)
        await stream.write(b"!", 5)
        assert await reading == b"abc"
    assert pieces == [b"abc"]  # the event loop did not read them one by one


@pytest.mark.skipif(not AsyncioStream.wakes_at_end, reason="this system has no low-water mark")
@pytest.mark.parametrize(
    ("data", "reset", "received"),
    [
        pytest.param(b"ab", False, b"ab", id="end"),
        pytest.param(b"", False, b"", id="end without data"),
        pytest.param(b"", True, None, id="reset"),
        pytest.param(b"a" * 2**17, False, b"a" * 2**16, id="much data"),
    ],
)
async def test_what_ends_the_read_delay(data: bytes, reset: bool, received: bytes | None) -> None:
    async def server_side(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        await asyncio.sleep(0.01)
        writer.write(data)
        if reset:
            linger = struct.pack("ii", 1, 0)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        if reset or len(data) < 2**16:
            writer.close()
        else:
            await reader.read()

    async with connected(server_side) as (stream, _):
        stream.read_delay = 60
        await stream.write(b"!", 5)
        reading = stream.read(2**16, 5)
        if received is None:
            with pytest.raises(httpcore.ReadError):
                await asyncio.wait_for(reading, 5)
        else:
            assert await asyncio.wait_for(reading, 5) == received


@pytest.mark.usefixtures("wakes_at_end")
async def test_the_read_timeout_begins_after_the_read_delay() -> None:
    async def server_side(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    async with connected(server_side) as (stream, _):
        stream.read_delay = 0.05
        started = asyncio.get_running_loop().time()
        with pytest.raises(httpcore.ReadTimeout):
            await stream.read(2**16, 0.05)
        assert 0.1 <= asyncio.get_running_loop().time() - started < 1


@pytest.mark.usefixtures("wakes_at_end")
async def test_a_cancelled_read_delay_loses_no_data() -> None:
    async def server_side(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"a")
        await reader.read()

    async with connected(server_side) as (stream, _):
        stream.read_delay = 60
        reading = asyncio.create_task(stream.read(2**16, 5))
        await asyncio.sleep(0.01)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        stream.read_delay = 0
        assert await stream.read(2**16, 5) == b"a"
