"""`POST /v1/completions`: reads, runs, writes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from ...http.request_body import cancel_on_disconnect, read_body
from ...http.sse import EventStream
from ...state import server_of
from ..choices import Choices, error_frame
from .request import CompletionRequest
from .writer import Chunk, CompletionWriter, accumulate, base_chunk, usage_json

router = APIRouter()


@router.post("/v1/completions", response_model=None)
async def create(http: Request) -> Response:
    server = server_of(http)
    request = await read_body(http, CompletionRequest)
    asks = request.generation_requests()
    attempt = await server.attempt(http, len(asks))
    first = base_chunk(request.model, attempt.answer_id)
    prompts: Sequence[str] = [
        prompt for prompt in request.prompts() for _ in range(request.choices_per_prompt)
    ]

    def writer(index: int) -> CompletionWriter:
        return CompletionWriter(
            first, index, echo=prompts[index] if request.echo else "", top_logprobs=request.logprobs
        )

    choices = Choices(server, http, attempt, asks, writer)
    usage = partial(usage_json, choices_per_prompt=request.choices_per_prompt)
    if request.stream:
        frames = choices.frames(first, usage if request.include_usage else None)
        return EventStream(frames, error_frame, server.settings.keep_alive)

    async def whole() -> Chunk:
        chunks = [chunk async for chunk in choices.chunks()]
        return accumulate(first, chunks, usage(choices.usages))

    return JSONResponse(await cancel_on_disconnect(http, whole()))
