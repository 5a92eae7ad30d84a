"""`POST /v1/responses/compact`: shorten a conversation to its user messages and a summary of the rest."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Annotated, Any, ClassVar, Literal

from fastapi import APIRouter, Depends
from llm.parts import Message, StreamEvent, TextPart

from ...generation import Finished, GenerationRequest, ThreadPosition, TokenUsage
from ...http.body_model import Body
from ...http.disconnect import cancel_on_disconnect
from ...http.field_table import FieldTable, honoured
from ...inference.client_request import ClientRequest
from ...items.ids import item_id
from ...items.output import compaction_item, message_items
from ...items.wire import AnyItem
from ...log.idempotency import Attempt
from ...log.ids import creation_time
from ...log.logged_turn import with_hashes
from ...state import ProxyState, StateDep, receive
from ..shared_fields import CacheRetention, PromptCacheOptions, TokenLimit
from .context import load_context
from .from_chat import response_items
from .request import ImageOptions, ResponsesRequest
from .response_object import usage_json

router = APIRouter()

ENDPOINT = "/v1/responses/compact"
# The summary begins a thread of its own: it is not part of the conversation.
NEW_THREAD = ThreadPosition("", None)
SUMMARISE = (
    "Summarise this conversation for an assistant who will go on with it and has not read it. Keep every "
    "fact, name, number, path, decision and open question that may still matter, what the tools were asked "
    "and what they answered, and what is to be done next. Leave out what is settled and will not come up "
    "again. Write the summary and nothing else."
)


class CompactRequest(Body):
    """The fields of `types/responses/response_compact_params.py`. Those about images and caches have no
    effect."""

    FIELDS: ClassVar[FieldTable] = FieldTable({"input": honoured(convert=response_items)})

    model: str
    input: str | list[AnyItem] | None = None
    instructions: str | None = None
    previous_response_id: str | None = None
    max_output_tokens: TokenLimit = None

    # Without effect: only their types are checked.
    image: ImageOptions | None = None
    prompt_cache_key: str | None = None
    prompt_cache_options: PromptCacheOptions | None = None
    prompt_cache_retention: CacheRetention | None = None
    service_tier: Literal["auto", "default", "fast", "flex", "priority"] | None = None

    def responses_request(self) -> ResponsesRequest:
        "Return the request for a response that would continue the same conversation."
        return ResponsesRequest(
            model=self.model,
            input=self.input,
            instructions=self.instructions,
            previous_response_id=self.previous_response_id,
            max_output_tokens=self.max_output_tokens,
            store=False,
        )


@router.post(ENDPOINT)
async def compact(
    state: StateDep, client: Annotated[ClientRequest[CompactRequest], Depends(receive(CompactRequest))]
) -> dict[str, Any]:
    body = await client.read(CompactRequest.responses_request)
    context = await load_context(body, state.log_reader, client.viewer, {})
    generation = await client.read(lambda _: body.generation_request(context))
    conversation = generation.messages[generation.added :]
    instruction = Message("user", [TextPart(SUMMARISE)])
    generation = replace(
        generation,
        endpoint=ENDPOINT,
        messages=(*generation.messages, instruction),
        continues=NEW_THREAD,
    )
    attempt = await state.retries.attempt(client)
    summary, usage = await cancel_on_disconnect(
        client.request.receive, _summarise(state, client, generation, attempt)
    )
    return {
        "id": f"resp_{attempt.answer_id}",
        "object": "response.compaction",
        "created_at": creation_time(attempt.answer_id),
        "output": _output(conversation, attempt.answer_id, summary),
        "usage": usage_json(usage),
    }


async def _summarise(
    state: ProxyState, client: ClientRequest[CompactRequest], generation: GenerationRequest, attempt: Attempt
) -> tuple[str, TokenUsage]:
    texts, usage = [], TokenUsage(0, 0, 0)
    async with aclosing(await state.events(generation, client, attempt)) as events:
        async for event in events:
            match event:
                case Finished():
                    usage = event.usage
                case StreamEvent(type="text", chunk=text):
                    texts.append(text)
    return "".join(texts), usage


def _output(conversation: Sequence[Message], turn_id: str, summary: str) -> list[dict[str, Any]]:
    user_items = [
        item
        for each in with_hashes(conversation)
        if each.message.role == "user"
        for item in message_items(each.message, each.hash.partition(":")[2])
    ]
    return [*user_items, compaction_item(item_id("compaction", turn_id, len(user_items)), summary)]
