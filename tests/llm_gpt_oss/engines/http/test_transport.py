"What the tests of the clients, which run on it, do not reach: much data, slow ends, ends that go away."

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from ssl import PROTOCOL_TLS_CLIENT, SSLContext

import httpcore
import httpx
import pytest
from support.scripted_server import HOLD, Scripted, answer, head

from llm_gpt_oss.engines.http.transport import Connection, Network, Transport

# Far more than a system keeps for a connection that nobody reads.
MUCH = 64 * 2**20
HOST = "127.0.0.1"

Other = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def connected(other: Other) -> AsyncIterator[tuple[Connection, asyncio.Future[None]]]:
    "Our end, and what the other one does. Both are closed behind it."
    done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await other(reader, writer)
            done.set_result(None)
        finally:
            writer.close()

    async with await asyncio.start_server(serve, HOST, 0) as server:
        ours = await Network().connect_tcp(HOST, server.sockets[0].getsockname()[1], 5)
        yield ours, done
        await ours.aclose()
        await asyncio.wait({done}, timeout=5)


async def everything(ours: Connection) -> bytes:
    data = bytearray()
    while piece := await ours.read(2**16, 5):
        assert len(piece) <= 2**16
        data += piece
    return bytes(data)


async def test_httpx_reads_through_them(play: Callable[..., Scripted]) -> None:
    transport = Transport(SSLContext(PROTOCOL_TLS_CLIENT), httpx.Limits())
    async with (
        httpx.AsyncClient(transport=transport) as http,
        http.stream("GET", play(answer({})).url) as response,
    ):
        assert isinstance(response.extensions["network_stream"], Connection)
        assert await response.aread() == b"{}"


@pytest.mark.parametrize(
    "limits", [httpx.Limits(max_keepalive_connections=0), httpx.Limits(keepalive_expiry=0.01)]
)
async def test_limits_are_kept(play: Callable[..., Scripted], limits: httpx.Limits) -> None:
    server = play((head(200, "Content-Length: 2"), b"{}", HOLD))
    async with httpx.AsyncClient(transport=Transport(SSLContext(PROTOCOL_TLS_CLIENT), limits)) as http:
        await http.get(server.url)
        await asyncio.sleep(0.05)
        await http.get(server.url)
        assert server.gone.wait(2)


async def test_who_sends_much_waits_for_who_reads() -> None:
    pieces = [struct.pack(">I", number) * 2**14 for number in range(MUCH // 2**16)]
    sent = 0

    async def other(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            sent += 1
        writer.close()

    async with connected(other) as (ours, _):
        waits_at = -1
        while waits_at < sent:
            waits_at = sent
            await asyncio.sleep(0.2)
        assert sent < len(pieces) / 4  # a system's own buffers take some of it
        assert await everything(ours) == b"".join(pieces)


async def test_who_reads_late_gets_it_all() -> None:
    received = bytearray()

    async def other(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.1)
        while piece := await reader.read(2**20):
            received.extend(piece)
            if len(received) == 2 * MUCH:
                return

    async with connected(other) as (ours, read):
        for letter in (b"a", b"b"):
            await ours.write(letter * MUCH, 5)
        await read
    assert received == b"a" * MUCH + b"b" * MUCH


async def test_who_never_reads_is_waited_for_so_long() -> None:
    given_up = asyncio.Event()

    async def other(*_: object) -> None:
        await given_up.wait()

    async with connected(other) as (ours, _):
        with pytest.raises(httpcore.WriteTimeout):
            await ours.write(bytes(MUCH), 0.05)
        given_up.set()


async def test_silence() -> None:
    given_up = asyncio.Event()

    async def other(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await given_up.wait()
        writer.write(b"at last")
        await writer.drain()

    async with connected(other) as (ours, _):
        with pytest.raises(httpcore.ReadTimeout):
            await ours.read(2**16, 0.05)
        given_up.set()
        assert await ours.read(2, 5) == b"at"
        assert await ours.read(2**16, 5) == b" last"
        assert await ours.read(2**16, 5) == b""


async def test_what_came_before_a_reset_can_be_read() -> None:
    reset = asyncio.Event()

    async def other(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"so far")
        await reset.wait()
        linger = struct.pack("ii", 1, 0)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        writer.transport.abort()

    async with connected(other) as (ours, gone):
        assert await ours.read(2, None) == b"so"
        reset.set()
        await gone
        await asyncio.sleep(0.05)
        assert await ours.read(2**16, 5) == b" far"
        with pytest.raises(httpcore.ReadError) as caught:
            await ours.read(2**16, 5)
        assert isinstance(caught.value.__cause__, ConnectionResetError)
        with pytest.raises(httpcore.WriteError):
            await ours.write(b"is anybody there?", 5)


async def test_who_leaves_while_much_is_sent() -> None:
    async def other(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.transport.abort()

    async with connected(other) as (ours, _):
        with pytest.raises(httpcore.WriteError):
            await ours.write(bytes(MUCH), 5)


async def test_who_has_answered_before_much_is_sent() -> None:
    heard = asyncio.Event()

    async def other(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"too much")
        writer.write_eof()
        await heard.wait()

    async with connected(other) as (ours, _):
        with pytest.raises(httpcore.WriteError):
            await ours.write(bytes(MUCH), 5)
        assert await ours.read(2**16, 5) == b"too much"
        heard.set()


async def test_a_connection_that_waits_is_over_when_anything_comes() -> None:
    tired, heard = asyncio.Event(), asyncio.Event()

    async def other(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await tired.wait()
        writer.write(b"HTTP/1.1 408 Request Timeout\r\n\r\n")
        await heard.wait()

    async with connected(other) as (ours, _):
        assert not ours.get_extra_info("is_readable")
        tired.set()
        await asyncio.sleep(0.1)
        assert ours.get_extra_info("is_readable")
        heard.set()


async def test_a_task_that_is_cancelled_while_it_reads() -> None:
    heard = asyncio.Event()

    async def other(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await heard.wait()
        writer.write(b"nobody waits")
        await writer.drain()

    async with connected(other) as (ours, _):
        reading = asyncio.create_task(ours.read(2**16, 5))
        await asyncio.sleep(0)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        heard.set()
        await asyncio.sleep(0.05)
        assert await everything(ours) == b"nobody waits"


async def test_a_task_that_reads_when_another_closes() -> None:
    async def other(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    async with connected(other) as (ours, _):
        reading = asyncio.create_task(ours.read(2**16, 5))
        await asyncio.sleep(0)
        await ours.aclose()
        with pytest.raises(httpcore.ReadError, match="closed at this end"):
            await reading


async def test_two_pieces_at_once() -> None:
    async def other(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    async with connected(other) as (ours, _):
        reading = asyncio.create_task(ours.read(2**16, 5))
        await asyncio.sleep(0)
        for piece in (b"one, ", b"two"):
            ours.data_received(piece)
        assert await reading == b"one, two"


async def test_who_reads_what_has_come_lets_others_have_their_turn() -> None:
    async def other(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(bytes(1000))
        await writer.drain()

    async with connected(other) as (ours, sent):
        await sent
        assert await ours.read(1, 5)
        for _ in range(10):
            others = asyncio.create_task(asyncio.sleep(0))
            assert len(await ours.read(1, 5)) == 1
            await asyncio.sleep(0)
            assert others.done()


async def test_nothing_is_written_to_who_is_gone(caplog: pytest.LogCaptureFixture) -> None:
    async def other(*_: object) -> None:
        pass

    async with connected(other) as (ours, _):
        assert await ours.read(1, 5) == b""
        for _ in range(10):
            with pytest.raises(httpcore.WriteError):
                await ours.write(b"hello?", 5)
    assert not caplog.records  # asyncio's way to complain, where other event loops raise


async def test_who_is_slow_has_no_more_time_than_the_limit() -> None:
    given_up = asyncio.Event()

    async def other(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while not given_up.is_set():
            writer.write(b".")
            await asyncio.sleep(0.02)

    async with connected(other) as (ours, _):
        with pytest.raises(httpcore.WriteTimeout):
            await asyncio.wait_for(ours.write(bytes(MUCH), 0.1), 5)
        given_up.set()


def test_a_connection_that_ended_while_the_event_loop_was_busy() -> None:
    async def ours_is_readable(port: int) -> tuple[object, object]:
        ours = await Network().connect_tcp(HOST, port, 5)
        before = ours.get_extra_info("is_readable")
        taken, _ = listening.accept()
        taken.close()
        after = ours.get_extra_info("is_readable")
        await ours.aclose()
        return before, after

    with socket.create_server((HOST, 0)) as listening:
        assert asyncio.run(ours_is_readable(listening.getsockname()[1])) == (False, True)
