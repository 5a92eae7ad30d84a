"""`POST /v1/messages` and `POST /v1/messages/count_tokens`: read, run, write."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Response
from fastapi.responses import JSONResponse
from starlette.types import Scope

from ...http import sse
from ...http.disconnect import cancel_on_disconnect
from ...http.errors import anthropic_error_body, to_api_error
from ...inference.client_request import ClientRequest
from ...state import ProxyState, StateDep, receive
from .request import MessagesRequest
from .writer import PING, Event, MessageWriter, accumulate, base_message

router = APIRouter()
Client = ClientRequest[MessagesRequest]


@router.post("/v1/messages", response_model=None)
async def create(state: StateDep, client: Annotated[Client, Depends(receive(MessagesRequest))]) -> Response:
    events = _events(state, client)
    if client.body.model.stream:
        error_frame = partial(_error_frame, client.request.scope)
        ping = sse.named_frame(PING)
        return sse.EventStream(_frames(events), error_frame, state.settings.keep_alive, ping)

    async def whole_message() -> dict[str, Any]:
        return accumulate([event async for event in events])

    return JSONResponse(await cancel_on_disconnect(client.request.receive, whole_message()))


@router.post("/v1/messages/count_tokens")
async def count_tokens(
    state: StateDep, client: Annotated[Client, Depends(receive(MessagesRequest))]
) -> dict[str, Any]:
    generation = await client.read(MessagesRequest.generation_request)
    counting = state.count_prompt_tokens(generation, client)
    return {"input_tokens": await cancel_on_disconnect(client.request.receive, counting)}


async def _events(state: ProxyState, client: Client) -> AsyncGenerator[Event, None]:
    body = client.body.model
    generation = await client.read(MessagesRequest.generation_request)
    attempt = await state.retries.attempt(client)
    base = base_message(generation.model, attempt.answer_id)
    writer = MessageWriter(base, body.thinking_display, body.max_tokens)
    async with aclosing(await state.events(generation, client, attempt)) as model_events:
        async for model_event in model_events:
            for event in writer.feed(model_event):
                yield event


async def _frames(events: AsyncGenerator[Event, None]) -> AsyncGenerator[bytes, None]:
    async with aclosing(events):
        async for event in events:
            yield sse.named_frame(event)


def _error_frame(scope: Scope, error: Exception) -> bytes:
    "Return the event that ends a stream that fails. Anthropic's SDK raises APIStatusError for it."
    return sse.named_frame(anthropic_error_body(to_api_error(error), scope))
