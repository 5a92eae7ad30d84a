"The two clients that ask a server for JSON, or for a stream of it: waited for or awaited."

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Generator
from dataclasses import dataclass
from typing import Any

import httpx

from ...completion import Json
from ...errors import EngineError, StreamCut
from ...streaming import atranslate, translate
from .connection import Endpoint, async_client_options, client_options, translate_errors
from .server_errors import to_error
from .sse import SseReader


@dataclass(frozen=True, slots=True)
class Request:
    "GET without a body, POST with one."

    path: str
    body: Json | None = None

    @property
    def arguments(self) -> dict[str, Any]:
        if self.body is None:
            return {"method": "GET", "url": self.path}
        # Not json=: it cannot write half of a surrogate pair, which a shell's argument may hold.
        content, headers = json.dumps(self.body), {"Content-Type": "application/json"}
        return {"method": "POST", "url": self.path, "content": content, "headers": headers}


def _accept(peer: Endpoint, response: httpx.Response) -> None:
    if not response.is_success:
        raise to_error(peer, response.status_code, response.text)


def _object(peer: Endpoint, response: httpx.Response) -> Json:
    _accept(peer, response)
    try:
        data = response.json()
    except ValueError:
        data = None
    if not isinstance(data, dict):
        message = f"What answers at {peer.server.url} is not {peer.name}: it sent no JSON object."
        raise EngineError(message, remedy="Check the address that the model was added with.")
    return data


class Client:
    "Waits. A stream that is closed closes its connection, which ends the work at the other end."

    def __init__(self, peer: Endpoint) -> None:
        self.peer = peer
        self._http = httpx.Client(**client_options(peer.server, peer.read_timeout))

    def send(self, request: Request) -> Json:
        with translate_errors(self.peer):
            response = self._http.request(**request.arguments)
        return _object(self.peer, response)

    def stream(self, request: Request) -> Generator[Json, None, None]:
        with translate_errors(self.peer), self._http.stream(**request.arguments) as response:
            if not response.is_success:
                response.read()
            _accept(self.peer, response)
            with translate_errors(self.peer, StreamCut):
                yield from translate(response.iter_bytes(), SseReader())

    def close(self) -> None:
        self._http.close()


class AsyncClient:
    "Awaits. Any number of requests at once, and on any event loop."

    def __init__(self, peer: Endpoint) -> None:
        self.peer = peer
        self._http = httpx.AsyncClient(**async_client_options(peer.server, peer.read_timeout))

    async def send(self, request: Request) -> Json:
        with translate_errors(self.peer):
            response = await self._http.request(**request.arguments)
        return _object(self.peer, response)

    async def stream(self, request: Request) -> AsyncGenerator[Json, None]:
        with translate_errors(self.peer):
            async with self._http.stream(**request.arguments) as response:
                if not response.is_success:
                    await response.aread()
                _accept(self.peer, response)
                with translate_errors(self.peer, StreamCut):
                    async for item in atranslate(response.aiter_bytes(), SseReader()):
                        yield item

    async def aclose(self) -> None:
        await self._http.aclose()
