"""The proxy in front of the clients' model, on a free port of this machine, in a thread.

with serving(folder) as server:
    server.begin("openai_go")
    ...  # server.url is its address, and server.requests are the requests that it got
"""

from __future__ import annotations

import itertools
import json
import socket
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Any

import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from ulid import ULID

from proxy.app import create_app
from proxy.http.protocol import HTTP11Protocol
from proxy.http.server_stop import CLEAN_UP_SECONDS
from proxy.settings import Settings
from support.clients.model import Model
from support.served_app import wait_for

# The key of a scope that has the offers to upgrade of a request.
OFFER = "upgrade_headers"


@dataclass
class Recorded:
    "A request as the application received it, and the answer's status."

    method: str
    path: str
    headers: list[tuple[str, str]]
    body: bytes = b""
    status: int | None = None
    answer: bytes = b""

    def json(self) -> Any:
        return json.loads(self.body) if self.body else None


class Recorder:
    "An ASGI application that records what another one gets and answers."

    def __init__(self, app: ASGIApp) -> None:
        self.requests: list[Recorded] = []
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        received = [*scope.get(OFFER, ()), *scope["headers"]]
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in received]
        query = scope["query_string"].decode("latin-1")
        path = scope["raw_path"].decode("latin-1") + (f"?{query}" if query else "")
        request = Recorded(scope["method"], path, headers)
        self.requests.append(request)

        async def receiving() -> Message:
            message = await receive()
            request.body += message.get("body", b"")
            return message

        async def sending(message: Message) -> None:
            request.status = message.get("status", request.status)
            request.answer += message.get("body", b"")
            await send(message)

        await self._app(scope, receiving, sending)


class RecordingProtocol(HTTP11Protocol):
    "Tells the recorder of the offers to upgrade that the server ignores."

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._offer: list[tuple[bytes, bytes]] = []

    def head_without_upgrade(self) -> bytes:
        self._offer = [header for header in self.headers if header[0] == b"upgrade"]
        return super().head_without_upgrade()

    def on_headers_complete(self) -> None:
        self.scope[OFFER] = self._offer
        super().on_headers_complete()


class TurnIds:
    "The ids of turns. Requests refer to them, so a client that is run again gets the same."

    def __init__(self) -> None:
        self._next = itertools.count()

    def begin(self, client: str) -> None:
        self._next = itertools.count(zlib.crc32(client.encode()) << 32)

    def __call__(self) -> str:
        return str(ULID.from_int(next(self._next))).lower()


@dataclass
class Served:
    port: int
    requests: list[Recorded]
    begin: Callable[[str], None]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def serving(folder: Path) -> Iterator[Served]:
    ids = TurnIds()
    recorder = Recorder(create_app(Settings(database=folder / "logs.db"), engine=Model(), new_id=ids))
    config = uvicorn.Config(
        recorder, http=RecordingProtocol, log_level="warning", timeout_graceful_shutdown=1 + CLEAN_UP_SECONDS
    )
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = Thread(target=server.run, args=[[listener]])
        thread.start()
        try:
            wait_for(lambda: server.started or not thread.is_alive())
            yield Served(listener.getsockname()[1], recorder.requests, ids.begin)
        finally:
            server.should_exit = True
            thread.join()
