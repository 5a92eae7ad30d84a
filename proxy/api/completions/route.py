"""`POST /v1/completions`: reads, runs, writes."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Response

from ...inference.client_request import ClientRequest
from ...state import StateDep, receive
from ..choices import Choices
from .request import CompletionRequest
from .writer import CompletionWriter, accumulate, base_chunk, usage_json

router = APIRouter()


@router.post("/v1/completions", response_model=None)
async def create(
    state: StateDep, client: Annotated[ClientRequest[CompletionRequest], Depends(receive(CompletionRequest))]
) -> Response:
    body = client.body.model
    generations = await client.read(CompletionRequest.generation_requests)
    attempt = await state.retries.attempt(client, len(generations))
    first = base_chunk(body.model, attempt.answer_id)
    prompts = [prompt for prompt in body.prompts() for _ in range(body.choices_per_prompt)]

    def writer(index: int) -> CompletionWriter:
        return CompletionWriter(
            first, index, echo=prompts[index] if body.echo else "", top_logprobs=body.logprobs
        )

    choices = Choices(state, client, attempt, generations, writer)
    usage = partial(usage_json, choices_per_prompt=body.choices_per_prompt)
    return await choices.response(body, first, usage, partial(accumulate, first))
