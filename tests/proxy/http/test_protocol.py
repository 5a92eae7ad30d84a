from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import uvicorn

from proxy.http.protocol import NoDelayProtocol


async def app(scope: object, receive: object, send: object) -> None:
    raise AssertionError("nobody asks")


accepted: asyncio.Queue[socket.socket] = asyncio.Queue()


class RecordingProtocol(NoDelayProtocol):
    "Records its sockets, which stay open as long as the clients do."

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(transport)
        accepted.put_nowait(transport.get_extra_info("socket"))


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[list[socket.socket]]:
    listeners = [socket.socket(), socket.socket(socket.AF_UNIX)]
    listeners[0].bind(("127.0.0.1", 0))
    listeners[1].bind(str(tmp_path / "socket"))
    # No lifespan and no signals: only what happens to a connection.
    running = uvicorn.Server(uvicorn.Config(app, http=RecordingProtocol, lifespan="off", log_level="warning"))
    running.config.load()
    running.lifespan = running.config.lifespan_class(running.config)
    await running.startup(sockets=listeners)
    yield listeners
    await running.shutdown(sockets=listeners)


async def test_writes_are_sent_without_delay(server: list[socket.socket]) -> None:
    for listener in server:
        connect = {socket.AF_INET: tcp, socket.AF_UNIX: unix}[listener.family]
        _, writer = await connect(listener)
        connection = await accepted.get()
        assert connection.family == listener.family
        if connection.family == socket.AF_INET:
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        writer.close()


async def tcp(listener: socket.socket) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection(*listener.getsockname())


async def unix(listener: socket.socket) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_unix_connection(listener.getsockname())
