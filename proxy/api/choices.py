"""The choices of one answer, one after the other: the engine has one place."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import aclosing
from typing import Any, Protocol

from fastapi import Request
from llm.parts import StreamEvent

from ..generation import Finished, GenerationRequest, TokenUsage
from ..http import sse
from ..http.errors import to_api_error
from ..log.idempotency import Attempt
from ..state import ProxyState

Chunk = dict[str, Any]


class Writer(Protocol):
    def feed(self, event: StreamEvent | Finished, /) -> Iterator[Chunk]: ...


class Choices:
    "Of `asks`, each by the writer of its index. The `usages` are whole when the chunks are."

    def __init__(
        self,
        server: ProxyState,
        http: Request,
        attempt: Attempt,
        asks: Sequence[GenerationRequest],
        writer: Callable[[int], Writer],
    ) -> None:
        self._server = server
        self._http = http
        self._attempt = attempt
        self._asks = asks
        self._writer = writer
        self.usages: list[TokenUsage] = []

    async def chunks(self) -> AsyncGenerator[Chunk, None]:
        for index, ask in enumerate(self._asks):
            writer = self._writer(index)
            events = self._server.events(ask, self._http, self._attempt, index)
            async with aclosing(events):
                async for event in events:
                    if isinstance(event, Finished):
                        self.usages.append(event.usage)
                    for chunk in writer.feed(event):
                        yield chunk

    async def frames(
        self, head: Chunk, usage: Callable[[Sequence[TokenUsage]], Any] | None
    ) -> AsyncGenerator[bytes, None]:
        """As server-sent events. With `usage`, its last chunk tells that, and all others that it is still
        to come.
        """
        counts = {"usage": None} if usage else {}
        async with aclosing(self.chunks()) as chunks:
            async for chunk in chunks:
                yield sse.data_frame({**chunk, **counts})
        if usage:
            yield sse.data_frame({**head, "choices": [], "usage": usage(self.usages)})
        yield sse.DONE


def error_frame(error: Exception) -> bytes:
    "OpenAI's SDK raises APIError for it, and wants no `[DONE]` behind it."
    return sse.data_frame(to_api_error(error).body)
