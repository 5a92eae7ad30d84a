"A client and a server, with each way to send requests: sync or async, with OpenAI's SDK or httpx."

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from support.proxy_thread import proxy_thread
from support.scripted_engine import AsyncScriptedEngine, Part
from support.scripted_server import Reply, Scripted

from proxy.app import create_app
from proxy.client import AsyncClient, Client
from proxy.settings import Settings


class Awaited:
    "An `AsyncClient` with the methods of `Client`. Each call has an event loop of its own."

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._arguments, self._options = arguments, options

    def __getattr__(self, name: str) -> Callable[..., Any]:
        async def call(*arguments: Any, **fields: Any) -> Any:
            async with AsyncClient(*self._arguments, **self._options) as client:
                result = getattr(client, name)(*arguments, **fields)
                return [delta async for delta in result] if name == "stream" else await result

        return lambda *arguments, **fields: asyncio.run(call(*arguments, **fields))

    def close(self) -> None:
        "Nothing is open between two calls."


Connect = Callable[..., Any]


@pytest.fixture(params=[False, True], ids=["sync", "async"])
def awaited(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture(params=[True, False], ids=["SDK", "httpx"])
def connect(request: pytest.FixtureRequest, awaited: bool) -> Iterator[Connect]:
    "`connect(url, …)` is a client."
    with ExitStack() as clients:

        def make(*arguments: Any, **options: Any) -> Any:
            client = (Awaited if awaited else Client)(*arguments, sdk=request.param, **options)
            clients.callback(client.close)
            return client

        yield make


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., str]]:
    "`serve(part, …)` is the URL of a server whose engine plays a script."
    with ExitStack() as servers:

        def start(*script: Part, engine: Any = None, **settings: Any) -> str:
            given = Settings(database=tmp_path / "logs.db", **settings)
            app = create_app(given, engine=engine or AsyncScriptedEngine(*script))
            return servers.enter_context(proxy_thread(app))

        yield start


@pytest.fixture
def play() -> Iterator[Callable[..., Scripted]]:
    "`play(reply, …)` is a server that gives these replies."
    with ExitStack() as servers:

        def start(*replies: Reply) -> Scripted:
            return servers.enter_context(Scripted(*replies))

        yield start
