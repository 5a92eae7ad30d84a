"The two clients that send a `Call` to Ollama: the same requests, answers and errors, waited for or awaited."

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Generator, Iterator
from contextlib import AbstractContextManager
from functools import lru_cache
from typing import Any, Generic, TypeVar

import httpx

from ...completion import Json
from ...errors import EngineError, StreamCut
from ...settings import DEFAULT_READ_TIMEOUT, ServerAddress
from ...streaming import atranslate, translate
from ..http.ndjson import NdjsonReader
from .answers import EmbeddingResult, ModelInfo, PullStatus, RunningModel
from .connection import async_client_options, client_options, faults
from .errors import not_ollama, to_error
from .requests import ApiRequest, embed, generate, load, ps, pull, show, tags, unload, version

__all__ = [
    "ApiRequest",
    "AsyncClient",
    "Client",
    "EmbeddingResult",
    "ModelInfo",
    "PullStatus",
    "RunningModel",
    "embed",
    "generate",
    "load",
    "ps",
    "pull",
    "show",
    "tags",
    "unload",
    "version",
]

T = TypeVar("T")


class AnswerReader(Generic[T]):
    "Bytes in, what the call reads from each line out. A line that is an error is raised as what it means."

    def __init__(self, call: ApiRequest[T]) -> None:
        self._call = call
        self._lines = NdjsonReader()

    def feed(self, data: bytes, /) -> Iterator[T]:
        for line in self._lines.feed(data):
            yield _read(self._call, line)

    def finish(self) -> Iterator[T]:
        for line in self._lines.finish():
            yield _read(self._call, line)


def _read(call: ApiRequest[T], data: Json) -> T:
    if "error" in data:
        raise to_error(None, data["error"], call.model)
    try:
        return call.read(data)
    except (KeyError, TypeError, AttributeError) as error:
        raise not_ollama(f"{call.path} has another form there") from error


def _answer(call: ApiRequest[T], response: httpx.Response) -> T:
    _accept(call, response)
    try:
        data = response.json()
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, dict):
        raise not_ollama(f"{call.path} is not JSON there")
    return _read(call, data)


def _accept(call: ApiRequest[Any], response: httpx.Response) -> None:
    if response.is_success:
        return
    moved = response.headers.get("Location") if response.is_redirect else None
    raise to_error(response.status_code, f"it points to {moved}" if moved else response.text, call.model)


# httpx would take both apart and put them together again, for each call.
@lru_cache
def _url(server: str, path: str) -> httpx.URL:
    return httpx.URL(server + path)


def _request(server: ServerAddress, call: ApiRequest[Any]) -> dict[str, Any]:
    request: dict[str, Any] = {"method": call.method, "url": _url(server.url, call.path)}
    if call.body is None:
        return request
    # Not json=: it cannot write half of a surrogate pair, which a shell's argument may hold.
    return {**request, "content": json.dumps(call.body), "headers": {"Content-Type": "application/json"}}


class Client:
    "Waits. A stream that is closed closes its connection."

    def __init__(self, server: ServerAddress, *, silence: float = DEFAULT_READ_TIMEOUT) -> None:
        self._server, self._silence = server, silence
        self._http = httpx.Client(**client_options(server, silence))

    def send(self, call: ApiRequest[T]) -> T:
        with self._faults():
            response = self._http.request(**_request(self._server, call))
        return _answer(call, response)

    def stream(self, call: ApiRequest[T]) -> Generator[T, None, None]:
        with self._faults(), self._http.stream(**_request(self._server, call)) as response:
            if not response.is_success:
                response.read()
            _accept(call, response)
            with self._faults(StreamCut):
                yield from translate(response.iter_bytes(), AnswerReader(call))

    def _faults(self, broken: type[EngineError] = EngineError) -> AbstractContextManager[None]:
        return faults(self._server, self._silence, broken)

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class AsyncClient:
    "Awaits. Any number of calls at once, and, unless connections wait `idle` seconds, on any event loop."

    def __init__(
        self, server: ServerAddress, *, silence: float = DEFAULT_READ_TIMEOUT, idle: float = 0
    ) -> None:
        self._server, self._silence = server, silence
        self._http = httpx.AsyncClient(**async_client_options(server, silence, idle))

    async def send(self, call: ApiRequest[T]) -> T:
        with self._faults():
            response = await self._http.request(**_request(self._server, call))
        return _answer(call, response)

    async def stream(self, call: ApiRequest[T]) -> AsyncGenerator[T, None]:
        with self._faults():
            async with self._http.stream(**_request(self._server, call)) as response:
                if not response.is_success:
                    await response.aread()
                _accept(call, response)
                with self._faults(StreamCut):
                    async for item in atranslate(response.aiter_bytes(), AnswerReader(call)):
                        yield item

    def _faults(self, broken: type[EngineError] = EngineError) -> AbstractContextManager[None]:
        return faults(self._server, self._silence, broken)

    async def aclose(self) -> None:
        await self._http.aclose()

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()
