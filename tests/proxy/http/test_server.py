from __future__ import annotations

import asyncio
import signal
import socket
from typing import Any

import pytest
import uvicorn

from proxy.http.protocol import HTTP11Protocol
from proxy.http.server import QuietServer


async def app(scope: object, receive: object, send: object) -> None:
    raise AssertionError("nobody asks")


class CountingServer(QuietServer):
    def __init__(self) -> None:
        super().__init__(uvicorn.Config(app, lifespan="off", log_level="warning"))
        self.config.load()
        self.ticks = 0
        self.third = asyncio.Event()

    async def on_tick(self, counter: int) -> bool:
        self.ticks += 1
        if self.ticks == 3:
            self.third.set()
        return await super().on_tick(counter)


async def test_it_wakes_seldom_and_stops_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("proxy.http.server.TICK_SECONDS", 60)
    server = CountingServer()
    running = asyncio.create_task(server.main_loop())
    await asyncio.sleep(0.25)
    assert server.ticks == 1
    assert dict(server.server_state.default_headers).keys() >= {b"date"}
    server.handle_exit(signal.SIGTERM, None)
    await asyncio.wait_for(running, 10)
    assert server.ticks == 2


async def test_it_wakes_regularly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("proxy.http.server.TICK_SECONDS", 0.01)
    server = CountingServer()
    running = asyncio.create_task(server.main_loop())
    await asyncio.wait_for(server.third.wait(), 5)
    server.handle_exit(signal.SIGINT, None)
    await asyncio.wait_for(running, 10)
    assert server.ticks > 3


def test_a_signal_before_the_start_stops_it() -> None:
    server = QuietServer(uvicorn.Config(app))
    server.handle_exit(signal.SIGTERM, None)
    assert server.should_exit


async def test_a_client_that_connects_as_the_server_stops_is_not_left_waiting() -> None:
    connected = []

    class Protocol(HTTP11Protocol):
        def connection_made(self, transport: Any) -> None:
            connected.append(transport)
            super().connection_made(transport)

    server = QuietServer(uvicorn.Config(app, http=Protocol, lifespan="off", log_level="critical"))
    server.config.load()
    server.lifespan = server.config.lifespan_class(server.config)
    listener = socket.create_server(("127.0.0.1", 0))
    await server.startup([listener])
    with socket.create_connection(listener.getsockname()) as client:
        # asyncio accepts the connection in the first round, and makes its protocol in the third.
        for _ in range(2):
            await asyncio.sleep(0)
        await server.shutdown([listener])
        assert len(connected) == 1
        client.settimeout(10)
        assert client.recv(100) == b""
