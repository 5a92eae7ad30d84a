"""`POST /v1/chat/completions`: reads, runs, writes."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from ...http.request_body import cancel_on_disconnect, read_body
from ...http.sse import EventStream
from ...state import server_of
from ..choices import Choices, error_frame
from .request import ChatRequest
from .writer import ChatWriter, Chunk, accumulate, base_chunk, usage_json

router = APIRouter()


@router.post("/v1/chat/completions", response_model=None)
async def create(http: Request) -> Response:
    server = server_of(http)
    request = await read_body(http, ChatRequest)
    ask = request.generation_request()
    asks = request.choice_requests(ask)
    attempt = await server.attempt(http, len(asks))
    first = base_chunk(ask.model, attempt.answer_id)

    def writer(index: int) -> ChatWriter:
        return ChatWriter(first, ask.custom_tools, index, reasoning=request.show_reasoning)

    choices = Choices(server, http, attempt, asks, writer)
    if request.stream:
        frames = choices.frames(first, usage_json if request.include_usage else None)
        return EventStream(frames, error_frame, server.settings.keep_alive)
    return JSONResponse(await cancel_on_disconnect(http, _whole(choices)))


async def _whole(choices: Choices) -> Chunk:
    chunks = [chunk async for chunk in choices.chunks()]
    return accumulate(chunks, usage_json(choices.usages))
