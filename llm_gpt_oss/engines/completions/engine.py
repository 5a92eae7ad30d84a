"An OpenAI-style completion server as an engine: `Completion` in, `Piece` and `Done` out."

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from contextlib import aclosing, closing

from ...completion import Completion, Done, Piece
from ...errors import EngineError
from ...streaming import atranslate, translate
from ..http.client import AsyncClient, Client
from ..http.connection import Endpoint
from .reader import TextReader
from .requests import BLIND_LIMIT, Dialect, completion, count, holds, room


class CompletionsEngine:
    "`completion.Engine`. `served_as` is the server's name for the model; without one it is the tag."

    def __init__(self, peer: Endpoint, served_as: str | None, dialect: Dialect) -> None:
        self._client = Client(peer)
        self._served_as = served_as
        self._dialect = dialect

    def complete(self, wanted: Completion) -> Generator[Piece | Done, None, None]:
        name, limit = self._served_as or wanted.model, None
        if wanted.max_tokens is None and self._dialect.limited:
            try:
                limit = room(self._client.peer.name, self._client.send(count(wanted, name)))
            except EngineError as error:
                limit = blind(error)
        request = completion(wanted, name, self._dialect, limit)
        with closing(self._client.stream(request)) as events:
            reader = TextReader(self._client.peer, wanted.top_logprobs, held=holds(wanted, self._dialect))
            yield from translate(events, reader)

    def __enter__(self) -> CompletionsEngine:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()


class AsyncCompletionsEngine:
    "`completion.AsyncEngine`, the same. Many completions may run at once."

    def __init__(self, peer: Endpoint, served_as: str | None, dialect: Dialect) -> None:
        self._client = AsyncClient(peer)
        self._served_as = served_as
        self._dialect = dialect

    async def complete(self, wanted: Completion) -> AsyncGenerator[Piece | Done, None]:
        name, limit = self._served_as or wanted.model, None
        if wanted.max_tokens is None and self._dialect.limited:
            try:
                limit = room(self._client.peer.name, await self._client.send(count(wanted, name)))
            except EngineError as error:
                limit = blind(error)
        request = completion(wanted, name, self._dialect, limit)
        async with aclosing(self._client.stream(request)) as events:
            reader = TextReader(self._client.peer, wanted.top_logprobs, held=holds(wanted, self._dialect))
            async for item in atranslate(events, reader):
                yield item

    async def __aenter__(self) -> AsyncCompletionsEngine:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()


def blind(error: EngineError) -> int:
    "The limit where the server does not count tokens; any other error is raised."
    if error.status not in (404, 405):
        raise error
    return BLIND_LIMIT
