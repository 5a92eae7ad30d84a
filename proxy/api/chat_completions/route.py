"""`POST /v1/chat/completions`: reads, runs, writes."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from ...inference.client_request import ClientRequest
from ...state import StateDep, receive
from ..choices import Choices
from .request import ChatRequest
from .writer import ChatWriter, accumulate, base_chunk, usage_json

router = APIRouter()


@router.post("/v1/chat/completions", response_model=None)
async def create(
    state: StateDep, client: Annotated[ClientRequest[ChatRequest], Depends(receive(ChatRequest))]
) -> Response:
    body = client.body.model
    generation = await client.read(ChatRequest.generation_request)
    generations = body.choice_requests(generation)
    attempt = await state.retries.attempt(client, len(generations))
    first = base_chunk(generation.model, attempt.answer_id)
    names = body.reasoning_names(state.settings.reasoning_field)

    def writer(index: int) -> ChatWriter:
        return ChatWriter(
            first,
            generation.custom_tools,
            index,
            reasoning_names=names,
            as_function_call=body.uses_functions,
        )

    choices = Choices(state, client, attempt, generations, writer)
    return await choices.response(body, first, usage_json, accumulate)
