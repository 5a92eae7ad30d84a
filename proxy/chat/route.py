"""`POST /v1/chat/completions`: reads, runs, writes."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from .. import sse
from ..ask import Ask, Finished, Usage
from ..errors import api_error
from ..reading import body_of, unless_left
from ..run import Run
from ..server import Server, server_of
from .request import ChatRequest
from .writer import ChatWriter, Chunk, folded, head, usage_of

router = APIRouter()


@router.post("/v1/chat/completions", response_model=None)
async def create(http: Request) -> Response:
    server = server_of(http)
    request = await body_of(http, ChatRequest)
    ask = request.ask()
    answer = Answer(server, ask, request, http)
    if request.stream:
        return sse.EventStream(answer.frames(), failed, server.settings.keep_alive)
    return JSONResponse(await unless_left(http, answer.whole()))


def failed(error: Exception) -> bytes:
    "OpenAI's SDK raises APIError for it, and wants no `[DONE]` behind it."
    return sse.data(api_error(error).body)


class Answer:
    "All choices of one answer, one after the other: the engine has one place."

    def __init__(self, server: Server, ask: Ask, request: ChatRequest, http: Request) -> None:
        self._request = request
        self._ask = ask
        self._head = head(ask, server.stamp)
        self._runs: Sequence[Run] = [server.run(choice, http) for choice in request.choices(ask)]
        self._usages: list[Usage] = []

    async def chunks(self) -> AsyncGenerator[Chunk, None]:
        for index, run in enumerate(self._runs):
            writer = ChatWriter(self._head, self._ask, index, reasoning=self._request.shows_reasoning)
            async with aclosing(run.events()) as events:
                async for event in events:
                    if isinstance(event, Finished):
                        self._usages.append(event.usage)
                    for chunk in writer.feed(event):
                        yield chunk

    async def whole(self) -> Chunk:
        chunks = [chunk async for chunk in self.chunks()]
        return folded(chunks, usage_of(self._usages))

    async def frames(self) -> AsyncGenerator[bytes, None]:
        counts = {"usage": None} if self._request.counts else {}
        async with aclosing(self.chunks()) as chunks:
            async for chunk in chunks:
                yield sse.data({**chunk, **counts})
        if counts:
            yield sse.data({**self._head, "choices": [], "usage": usage_of(self._usages)})
        yield sse.DONE
