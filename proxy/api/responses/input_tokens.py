"""`POST /v1/responses/input_tokens`: the length of a request's input, in the model's tokens."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any, ClassVar

from fastapi import APIRouter, Depends
from pydantic import BeforeValidator

from ...http.disconnect import cancel_on_disconnect
from ...http.field_table import FieldTable, no_effect
from ...inference.client_request import ClientRequest
from ...state import StateDep, receive
from .context import load_context
from .fields import FIELDS
from .request import ResponsesRequest

router = APIRouter()

DEFAULT_MODEL = "gpt-oss"


class InputTokensRequest(ResponsesRequest):
    "`personality` has no effect, since the model has only one. The model may be missing or null."

    FIELDS: ClassVar[FieldTable] = FieldTable({**FIELDS, "personality": no_effect()})

    model: Annotated[str, BeforeValidator(lambda model: DEFAULT_MODEL if model is None else model)] = (
        DEFAULT_MODEL
    )
    personality: str | None = None


@router.post("/v1/responses/input_tokens")
async def count(
    state: StateDep,
    client: Annotated[ClientRequest[InputTokensRequest], Depends(receive(InputTokensRequest))],
) -> dict[str, Any]:
    context = await load_context(client.body.model, state.log_reader, client.viewer, {})
    generation = await client.read(partial(InputTokensRequest.generation_request, context=context))
    counting = state.count_prompt_tokens(generation, client)
    tokens = await cancel_on_disconnect(client.request.receive, counting)
    return {"object": "response.input_tokens", "input_tokens": tokens}
