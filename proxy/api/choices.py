"""The choices of one answer, generated one after the other."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import aclosing
from typing import Any, Protocol

from fastapi import Response
from fastapi.responses import JSONResponse
from llm.parts import StreamEvent

from ..generation import Finished, GenerationRequest, TokenUsage
from ..http import sse
from ..http.disconnect import cancel_on_disconnect
from ..http.errors import to_api_error
from ..inference.client_request import ClientRequest
from ..log.idempotency import Attempt
from ..state import ProxyState

Chunk = dict[str, Any]


class Writer(Protocol):
    def feed(self, event: StreamEvent | Finished, /) -> Iterator[Chunk]: ...


class StreamFields(Protocol):
    "The fields of a body that say how the client wants its answer."

    @property
    def stream(self) -> bool | None: ...

    @property
    def include_usage(self) -> bool: ...


class Choices:
    """An answer with one choice for each of `generations`. `writer` makes the writer of the choice with an
    index.

    Choices are generated one after the other, because most engines answer one prompt at a time. `usages` has
    one entry for each choice that is complete.
    """

    def __init__(
        self,
        state: ProxyState,
        client: ClientRequest[Any],
        attempt: Attempt,
        generations: Sequence[GenerationRequest],
        writer: Callable[[int], Writer],
    ) -> None:
        self._state = state
        self._client = client
        self._attempt = attempt
        self._generations = generations
        self._writer = writer
        self.usages: list[TokenUsage] = []

    async def response(
        self,
        body: StreamFields,
        head: Chunk,
        usage: Callable[[Sequence[TokenUsage]], Any],
        accumulate: Callable[[Sequence[Chunk], Any], Chunk],
    ) -> Response:
        """Return the answer as a stream if the client wants one, otherwise as one object.

        `usage` adds up the usages of all choices. `accumulate` makes one object of all chunks and that usage.
        """
        if body.stream:
            frames = self.frames(head, usage if body.include_usage else None)
            return sse.EventStream(frames, error_frame, self._state.settings.keep_alive)

        async def whole_answer() -> Chunk:
            chunks = [chunk async for chunk in self.chunks()]
            return accumulate(chunks, usage(self.usages))

        return JSONResponse(await cancel_on_disconnect(self._client.request.receive, whole_answer()))

    async def chunks(self) -> AsyncGenerator[Chunk, None]:
        for index, generation in enumerate(self._generations):
            writer = self._writer(index)
            async with aclosing(
                await self._state.events(generation, self._client, self._attempt, index)
            ) as events:
                async for event in events:
                    if isinstance(event, Finished):
                        self.usages.append(event.usage)
                    for chunk in writer.feed(event):
                        yield chunk

    async def frames(
        self, head: Chunk, usage: Callable[[Sequence[TokenUsage]], Any] | None
    ) -> AsyncGenerator[bytes, None]:
        """Yield the answer as server-sent events.

        If there is a `usage` function, the last chunk has its result, and all others have a `usage` of null.
        """
        no_usage_yet = {"usage": None} if usage else {}
        async with aclosing(self.chunks()) as chunks:
            async for chunk in chunks:
                yield sse.data_frame({**chunk, **no_usage_yet})
        if usage:
            yield sse.data_frame({**head, "choices": [], "usage": usage(self.usages)})
        yield sse.DONE


def error_frame(error: Exception) -> bytes:
    """Return the event that ends a stream that fails. OpenAI's SDK raises APIError for it, and expects no
    `[DONE]`."""
    return sse.data_frame(to_api_error(error).body)
