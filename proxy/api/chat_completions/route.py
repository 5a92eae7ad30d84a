"""`POST /v1/chat/completions`: reads, runs, writes."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from ...http.request_body import body_of, unless_left
from ...http.sse import EventStream
from ...state import server_of
from ..choices import Choices, failed
from .request import ChatRequest
from .writer import ChatWriter, Chunk, folded, head, usage_of

router = APIRouter()


@router.post("/v1/chat/completions", response_model=None)
async def create(http: Request) -> Response:
    server = server_of(http)
    request = await body_of(http, ChatRequest)
    ask = request.ask()
    asks = request.choices(ask)
    attempt = await server.attempt(http, len(asks))
    first = head(ask.model, attempt.answer_id)

    def writer(index: int) -> ChatWriter:
        return ChatWriter(first, ask.custom, index, reasoning=request.shows_reasoning)

    choices = Choices(server, http, attempt, asks, writer)
    if request.stream:
        frames = choices.frames(first, usage_of if request.counts else None)
        return EventStream(frames, failed, server.settings.keep_alive)
    return JSONResponse(await unless_left(http, _whole(choices)))


async def _whole(choices: Choices) -> Chunk:
    chunks = [chunk async for chunk in choices.chunks()]
    return folded(chunks, usage_of(choices.usages))
