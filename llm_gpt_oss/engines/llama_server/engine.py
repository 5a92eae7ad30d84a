"llama.cpp's server as an engine: `Completion` in, `Piece` and `Done` out."

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from contextlib import aclosing, closing

from ...completion import Completion, Done, Piece
from ...streaming import atranslate, translate
from ..http.client import AsyncClient, Client
from ..http.connection import Endpoint
from .reader import CompletionReader
from .requests import check_vocabulary, completion, vocabulary


class LlamaServerEngine:
    """`completion.Engine`. Holds nothing open between two completions.

    The server is asked once whether its model knows harmony, unless that is `known`.
    """

    def __init__(self, peer: Endpoint, served_as: str | None = None, *, known: bool = False) -> None:
        self._client = Client(peer)
        self._served_as = served_as
        self._known = known

    def complete(self, wanted: Completion) -> Generator[Piece | Done, None, None]:
        request = completion(wanted, self._served_as)
        if not self._known:
            check_vocabulary(wanted.model, self._client.send(vocabulary()))
            self._known = True
        with closing(self._client.stream(request)) as events:
            yield from translate(events, CompletionReader(self._client.peer, wanted.top_logprobs))

    def __enter__(self) -> LlamaServerEngine:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()


class AsyncLlamaServerEngine:
    "`completion.AsyncEngine`, the same. Many completions may run at once."

    def __init__(self, peer: Endpoint, served_as: str | None = None, *, known: bool = False) -> None:
        self._client = AsyncClient(peer)
        self._served_as = served_as
        self._known = known

    async def complete(self, wanted: Completion) -> AsyncGenerator[Piece | Done, None]:
        request = completion(wanted, self._served_as)
        if not self._known:
            check_vocabulary(wanted.model, await self._client.send(vocabulary()))
            self._known = True
        async with aclosing(self._client.stream(request)) as events:
            async for item in atranslate(events, CompletionReader(self._client.peer, wanted.top_logprobs)):
                yield item

    async def __aenter__(self) -> AsyncLlamaServerEngine:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()
