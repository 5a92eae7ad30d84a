"""`POST /v1/completions`: reads, runs, writes."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from .. import sse
from ..ask import Finished, Usage
from ..errors import api_error
from ..reading import body_of, unless_left
from ..server import Server, server_of
from ..texts import overflow_of
from .request import CompletionRequest
from .writer import Chunk, CompletionWriter, folded, head, usage_of

router = APIRouter()


@router.post("/v1/completions", response_model=None)
async def create(http: Request) -> Response:
    server = server_of(http)
    request = await body_of(http, CompletionRequest)
    answer = Answer(server, request, http)
    if request.stream:
        return sse.EventStream(answer.frames(), failed, server.settings.keep_alive)
    return JSONResponse(await unless_left(http, answer.whole()))


def failed(error: Exception) -> bytes:
    "OpenAI's SDK raises APIError for it, and wants no `[DONE]` behind it."
    return sse.data(api_error(error).body)


class Answer:
    "The choices of all prompts, one after the other: the engine has one place."

    def __init__(self, server: Server, request: CompletionRequest, http: Request) -> None:
        self._server = server
        self._asks = request.asks()
        self._request = request
        self._http = http
        self._head = head(request.model, server.stamp)
        self._prompts = [prompt for prompt in request.prompts() for _ in range(request.copies)]
        self._usages: list[Usage] = []

    async def chunks(self) -> AsyncGenerator[Chunk, None]:
        for index, (ask, prompt) in enumerate(zip(self._asks, self._prompts, strict=True)):
            echo = prompt if self._request.echo else ""
            writer = CompletionWriter(self._head, index, echo=echo, rivals=self._request.logprobs)
            run = self._server.run(ask, self._http)
            with overflow_of("prompt"):
                async with aclosing(run.events()) as events:
                    async for event in events:
                        if isinstance(event, Finished):
                            self._usages.append(event.usage)
                        for chunk in writer.feed(event):
                            yield chunk

    async def whole(self) -> Chunk:
        chunks = [chunk async for chunk in self.chunks()]
        return folded(self._head, chunks, self._usage())

    async def frames(self) -> AsyncGenerator[bytes, None]:
        counts = {"usage": None} if self._request.counts else {}
        async with aclosing(self.chunks()) as chunks:
            async for chunk in chunks:
                yield sse.data({**chunk, **counts})
        if counts:
            yield sse.data({**self._head, "choices": [], "usage": self._usage()})
        yield sse.DONE

    def _usage(self) -> dict[str, Any]:
        return usage_of(self._usages, self._request.copies)
