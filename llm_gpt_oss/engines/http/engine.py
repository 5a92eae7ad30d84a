"The engine of all HTTP servers, sync and async. A `CompletionServer` describes each server to it."

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from contextlib import aclosing, closing
from typing import Any, NamedTuple, Protocol

from ...completion import Completion, Done, Json, Piece
from ...errors import GptOssError
from .client import AsyncClient, Client, StreamReader
from .endpoint import Endpoint
from .output import CompletionOutput, EventReader
from .request import Request


class CompletionStream(NamedTuple):
    "The request for a stream, and the reader of its events."

    request: Request[Json]
    events: EventReader


# Yields the requests that must be answered first, receives their parsed answers, or has their errors thrown
# into it. Returns the request for the completion itself.
RequestPlan = Generator[Request[Any], Any, CompletionStream]


class CompletionServer(Protocol):
    "What an engine needs to know about a server. It sends nothing itself."

    @property
    def endpoint(self) -> Endpoint: ...

    def plan(self, completion: Completion) -> RequestPlan:
        "Plan the requests for a completion. Raises BadRequest for what the server cannot do."


class HttpEngine:
    "A `completion.Engine`. No connection stays open between two completions."

    def __init__(self, server: CompletionServer) -> None:
        self._server = server
        self._client = Client(server.endpoint)

    def complete(self, completion: Completion) -> Generator[Piece | Done, None, None]:
        request, events = self._prepare(self._server.plan(completion))
        output = CompletionOutput(StreamReader(self._server.endpoint, request), events, completion)
        with closing(self._client.stream_bytes(request)) as stream:
            try:
                for data in stream:
                    yield from output.feed(data)
                yield from output.finish()
            except GptOssError:
                yield from output.flush()
                raise

    def _prepare(self, plan: RequestPlan) -> CompletionStream:
        try:
            request = next(plan)
            while True:
                try:
                    answer = self._client.send(request)
                except GptOssError as error:
                    request = plan.throw(error)
                else:
                    request = plan.send(answer)
        except StopIteration as end:
            stream: CompletionStream = end.value
            return stream

    def __enter__(self) -> HttpEngine:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()


class AsyncHttpEngine:
    """A `completion.AsyncEngine`. Many completions may run at the same time.

    Between two completions, connections stay open for as long as the server's endpoint says (`keepalive`).
    """

    def __init__(self, server: CompletionServer) -> None:
        self._server = server
        self._client = AsyncClient(server.endpoint)

    async def complete(self, completion: Completion) -> AsyncGenerator[Piece | Done, None]:
        request, events = await self._prepare(self._server.plan(completion))
        output = CompletionOutput(StreamReader(self._server.endpoint, request), events, completion)
        read_delay = output.read_delay if completion.batch else None
        async with aclosing(self._client.stream_bytes(request, read_delay)) as stream:
            try:
                async for data in stream:
                    for item in output.feed(data):
                        yield item
                for item in output.finish():
                    yield item
            except GptOssError:
                for item in output.flush():
                    yield item
                raise

    async def _prepare(self, plan: RequestPlan) -> CompletionStream:
        try:
            request = next(plan)
            while True:
                try:
                    answer = await self._client.send(request)
                except GptOssError as error:
                    request = plan.throw(error)
                else:
                    request = plan.send(answer)
        except StopIteration as end:
            stream: CompletionStream = end.value
            return stream

    async def __aenter__(self) -> AsyncHttpEngine:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()
