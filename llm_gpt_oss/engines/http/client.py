"The HTTP client of all servers: it sends a request value, and parses the answer. Sync and async."

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator
from contextlib import aclosing, closing
from functools import lru_cache
from typing import Any, Generic, Protocol, TypeVar

import httpx
from pydantic_core import PydanticSerializationError, to_json

from ...completion import Json
from ...errors import EngineError, GptOssError, StreamCut
from ...streaming import atranslate, translate
from .connection import AsyncConnections, client_options, translate_errors, uses_loopback_transport
from .endpoint import Endpoint
from .request import Request
from .server_errors import to_error
from .transport import AsyncioStream

T = TypeVar("T")

# Far more than any answer that is not streamed: the longest has the vectors of thousands of texts.
MAX_BODY = 256 * 2**20


class ReadDelay(Protocol):
    def __call__(self, *, wakes_at_end: bool) -> float:
        """Return how many seconds the next data may stay unread, so that one read returns more of it.

        `wakes_at_end` says whether the end of the stream also ends the delay.
        """


class StreamReader(Generic[T]):
    "Parses the bytes of a stream to what the request's `parse` returns. An error object raises its error."

    def __init__(self, endpoint: Endpoint, request: Request[T]) -> None:
        self._endpoint = endpoint
        self._request = request
        self._objects = endpoint.api.stream_reader()

    def feed(self, data: bytes, /) -> Iterator[T]:
        for value in self._objects.feed(data):
            yield parse(self._endpoint, self._request, value)

    def finish(self) -> Iterator[T]:
        for value in self._objects.finish():
            yield parse(self._endpoint, self._request, value)


def parse(endpoint: Endpoint, request: Request[T], value: Any) -> T:
    "Return what the request's `parse` makes of a JSON value. Raises the error that the value reports."
    if not isinstance(value, dict):
        raise endpoint.api.wrong_api(f"{request.path} returned no JSON object")
    if value.get("error") is not None or value.get("object") == "error":
        raise to_error(endpoint.api.error_rules, endpoint.name, None, value, request.model)
    try:
        return request.parse(value)
    except (KeyError, TypeError, AttributeError) as error:
        raise endpoint.api.wrong_api(f"{request.path} returned JSON of an unexpected form") from error


class BodyLimit:
    "Passes on the data of a body that is read whole. Raises EngineError if it is longer than MAX_BODY."

    def __init__(self) -> None:
        self._length = 0

    def feed(self, data: bytes, /) -> Iterator[bytes]:
        self._length += len(data)
        if self._length > MAX_BODY:
            raise EngineError(
                f"The answer is longer than {MAX_BODY >> 20} MB, which no engine sends.",
                remedy="Check the address of the server.",
            )
        yield data

    def finish(self) -> Iterator[bytes]:
        yield from ()


def _parse_response(endpoint: Endpoint, request: Request[T], response: httpx.Response, body: bytes) -> T:
    if not response.is_success:
        raise error_of(endpoint, request, response, body)
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        value = None
    return parse(endpoint, request, value)


def error_of(endpoint: Endpoint, request: Request[Any], response: httpx.Response, body: bytes) -> GptOssError:
    "Return the error that an unsuccessful response reports."
    location = response.headers.get("Location") if response.is_redirect else None
    text = f"it redirects to {location}" if location else body.decode(errors="replace")
    return to_error(endpoint.api.error_rules, endpoint.name, response.status_code, text, request.model)


# Without the cache httpx would parse and join both for each request.
@lru_cache
def _url(server_url: str, path: str) -> httpx.URL:
    return httpx.URL(server_url + path)


def _arguments(endpoint: Endpoint, request: Request[Any]) -> dict[str, Any]:
    arguments: dict[str, Any] = {"method": request.method, "url": _url(endpoint.server.url, request.path)}
    if request.body is None:
        return arguments
    return {**arguments, "content": _json(request.body), "headers": {"Content-Type": "application/json"}}


def _json(body: Json) -> bytes:
    try:
        return to_json(body)  # four times as fast as `json.dumps` for a long prompt
    except PydanticSerializationError:  # an argument in a shell may contain half of a surrogate pair
        return json.dumps(body).encode()


class Client:
    "Sends requests and waits for the answers. Closing a stream closes its connection."

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self._http = httpx.Client(**client_options(endpoint))

    def send(self, request: Request[T]) -> T:
        "Return the parsed answer."
        with (
            translate_errors(self.endpoint),
            self._http.stream(**_arguments(self.endpoint, request)) as response,
        ):
            body = _read(response)
        return _parse_response(self.endpoint, request, response, body)

    def stream(self, request: Request[T]) -> Generator[T, None, None]:
        "Yield the parsed objects of a stream as they arrive."
        with closing(self.stream_bytes(request)) as data:
            yield from translate(data, StreamReader(self.endpoint, request))

    def stream_bytes(self, request: Request[Any]) -> Generator[bytes, None, None]:
        "Yield the bytes of a stream as they arrive."
        with (
            translate_errors(self.endpoint),
            self._http.stream(**_arguments(self.endpoint, request)) as response,
        ):
            if not response.is_success:
                raise error_of(self.endpoint, request, response, _read(response))
            with translate_errors(self.endpoint, StreamCut):
                yield from response.iter_bytes()

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class AsyncClient:
    """Sends requests and awaits the answers, of which many may be open at the same time.

    Without keepalive connections it works on any event loop.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self._connections = AsyncConnections(endpoint)

    async def send(self, request: Request[T]) -> T:
        "Return the parsed answer."
        with translate_errors(self.endpoint):
            async with self._connections.open(**_arguments(self.endpoint, request)) as response:
                body = await _aread(response)
        return _parse_response(self.endpoint, request, response, body)

    async def stream(self, request: Request[T]) -> AsyncGenerator[T, None]:
        "Yield the parsed objects of a stream as they arrive."
        async with aclosing(self.stream_bytes(request)) as data:
            async for item in atranslate(data, StreamReader(self.endpoint, request)):
                yield item

    async def stream_bytes(
        self, request: Request[Any], read_delay: ReadDelay | None = None
    ) -> AsyncGenerator[bytes, None]:
        """Yield the bytes of a stream as they arrive.

        `read_delay` is called after each yield. Only connections of `LoopbackTransport` wait.
        """
        arguments = _arguments(self.endpoint, request)
        if read_delay and uses_loopback_transport(self.endpoint):
            # Then the end of the response is also the end of the connection, which ends the delay.
            arguments["headers"] = {**arguments.get("headers", {}), "Connection": "close"}
        with translate_errors(self.endpoint):
            async with self._connections.open(**arguments) as response:
                if not response.is_success:
                    raise error_of(self.endpoint, request, response, await _aread(response))
                with translate_errors(self.endpoint, StreamCut):
                    async for data in _body(response):
                        yield data
                        if read_delay:
                            _set_read_delay(response, read_delay)

    async def aclose(self) -> None:
        await self._connections.aclose()

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


def _read(response: httpx.Response) -> bytes:
    return b"".join(translate(response.iter_bytes(), BodyLimit()))


async def _aread(response: httpx.Response) -> bytes:
    return b"".join([data async for data in atranslate(response.aiter_bytes(), BodyLimit())])


def _body(response: httpx.Response) -> AsyncIterator[bytes]:
    "Iterate over the body. Without a content encoding the raw bytes are the same, and cheaper."
    return response.aiter_bytes() if "Content-Encoding" in response.headers else response.aiter_raw()


def _set_read_delay(response: httpx.Response, read_delay: ReadDelay) -> None:
    stream = response.extensions.get("network_stream")
    if isinstance(stream, AsyncioStream):
        closes = response.headers.get("Connection", "").lower() == "close"
        stream.read_delay = read_delay(wakes_at_end=closes and stream.wakes_at_end)
