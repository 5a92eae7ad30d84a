"A request that is cancelled at any moment, once or again while it closes, leaves no connection open."

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import anyio
import anyio.abc
import httpx
import pytest

from llm_gpt_oss.engines.http import connection
from llm_gpt_oss.engines.http.connection import AsyncConnections
from llm_gpt_oss.engines.http.endpoint import Endpoint
from llm_gpt_oss.engines.http.transport import LoopbackPool, LoopbackTransport
from llm_gpt_oss.settings import read_url

PATIENCE = 30
HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
# More iterations of the event loop than a request needs until its body arrives.
MOMENTS = range(1, 25)


class Upstream:
    "A server that sends the beginning of a stream, and waits until its client leaves."

    def __init__(self) -> None:
        self.open = 0
        self._closed = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open += 1
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(HEAD + b"5\r\nHello\r\n")
            await reader.read()
        self.open -= 1
        self._closed.set()
        writer.close()

    async def none_open(self) -> None:
        while self.open:
            self._closed.clear()
            await asyncio.wait_for(self._closed.wait(), PATIENCE)


@pytest.fixture
async def upstream() -> AsyncIterator[tuple[Upstream, str]]:
    served = Upstream()
    async with await asyncio.start_server(served.serve, "127.0.0.1", 0) as server:
        yield served, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@pytest.fixture(params=["httpx", "loopback"])
def endpoint(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, upstream: tuple[Upstream, str]
) -> Endpoint:
    "The server. There is one connection to it, so a request that kept that would make the next ones wait."
    monkeypatch.setattr(connection, "MAX_CONNECTIONS", 1)
    if request.param == "httpx":
        monkeypatch.setattr(connection, "uses_loopback_transport", lambda endpoint: False)
    return Endpoint("The server", read_url(upstream[1]), PATIENCE, "", keepalive=PATIENCE)


async def read(connections: AsyncConnections) -> None:
    async with connections.open(method="GET", url="/") as response:
        async for _ in response.aiter_raw():
            pass


async def iterate(times: int) -> None:
    for _ in range(times):
        await asyncio.sleep(0)


async def check_nothing_is_open(upstream: Upstream, connections: AsyncConnections) -> None:
    await upstream.none_open()
    async with connections.open(method="GET", url="/") as response:
        assert await anext(response.aiter_raw()) == b"Hello"
    await connections.aclose()


async def test_a_cancelled_request_leaves_no_connection(
    upstream: tuple[Upstream, str], endpoint: Endpoint
) -> None:
    for moment in MOMENTS:
        connections = AsyncConnections(endpoint)
        reading = asyncio.ensure_future(read(connections))
        await iterate(moment)
        reading.cancel()
        await asyncio.wait({reading})
        assert reading.cancelled()
        await check_nothing_is_open(upstream[0], connections)


async def test_a_task_that_is_cancelled_while_it_closes(
    upstream: tuple[Upstream, str], endpoint: Endpoint
) -> None:
    closing = asyncio.Event()

    async def read_the_beginning(connections: AsyncConnections) -> None:
        async with connections.open(method="GET", url="/") as response:
            await anext(response.aiter_raw())
            closing.set()

    for moment in range(5):
        connections = AsyncConnections(endpoint)
        reading = asyncio.ensure_future(read_the_beginning(connections))
        await closing.wait()
        await iterate(moment)
        reading.cancel()
        await asyncio.wait({reading})
        closing.clear()
        await check_nothing_is_open(upstream[0], connections)


async def test_a_connection_that_is_being_opened_when_its_client_is_closed(
    upstream: tuple[Upstream, str], endpoint: Endpoint
) -> None:
    for moment in MOMENTS:
        connections = AsyncConnections(endpoint)
        reading = asyncio.ensure_future(read(connections))
        await iterate(moment)
        reading.cancel()
        await connections.aclose()
        await upstream[0].none_open()


async def test_closing_waits_for_a_connection_that_opens(
    upstream: tuple[Upstream, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    "Whoever closes the client may end the event loop next."
    monkeypatch.setattr(connection, "uses_loopback_transport", lambda endpoint: False)
    opening, may_open = asyncio.Event(), asyncio.Event()
    opened: list[anyio.abc.ByteStream] = []
    connect_tcp = anyio.connect_tcp

    async def connect_later(*arguments: Any, **options: Any) -> anyio.abc.ByteStream:
        opening.set()
        await may_open.wait()
        opened.append(await connect_tcp(*arguments, **options))
        return opened[0]

    monkeypatch.setattr(anyio, "connect_tcp", connect_later)
    connections = AsyncConnections(Endpoint("The server", read_url(upstream[1]), PATIENCE, ""))
    reading = asyncio.ensure_future(read(connections))
    await opening.wait()
    reading.cancel()
    await asyncio.wait({reading})
    closing = asyncio.ensure_future(connections.aclose())
    await iterate(100)
    assert not closing.done()
    may_open.set()
    await closing
    with pytest.raises(anyio.ClosedResourceError):
        await opened[0].receive()


async def test_a_request_that_is_cancelled_twice_leaves_no_connection(
    upstream: tuple[Upstream, str], endpoint: Endpoint
) -> None:
    for moment in MOMENTS:
        for later in range(4):
            connections = AsyncConnections(endpoint)
            reading = asyncio.ensure_future(read(connections))
            await iterate(moment)
            reading.cancel()
            await iterate(later)
            reading.cancel()
            await asyncio.wait({reading})
            await check_nothing_is_open(upstream[0], connections)


async def test_a_cancelled_request_leaves_the_pool(
    upstream: tuple[Upstream, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pools: list[LoopbackPool] = []

    class RecordedTransport(LoopbackTransport):
        def __init__(self, limits: httpx.Limits) -> None:
            super().__init__(limits)
            pools.append(self._pool)

    monkeypatch.setattr(connection, "LoopbackTransport", RecordedTransport)
    connections = AsyncConnections(Endpoint("The server", read_url(upstream[1]), PATIENCE, ""))
    for moment in MOMENTS:
        reading = asyncio.ensure_future(read(connections))
        await iterate(moment)
        reading.cancel()
        reading.cancel()
        await asyncio.wait({reading})
    assert "Requests: 0 active, 0 queued" in repr(pools[0])
    await connections.aclose()
