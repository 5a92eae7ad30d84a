"""`POST /v1/responses/compact`: a long conversation as what its user said, and a summary of the rest."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any, Literal

from fastapi import APIRouter, Request
from llm.parts import Message, StreamEvent, TextPart

from ...generation import Finished, GenerationRequest, ThreadPosition, TokenUsage
from ...http.body_model import Body
from ...http.request_body import cancel_on_disconnect, read_body
from ...items.ids import item_id
from ...items.output import compaction_item, message_items
from ...items.wire import AnyItem
from ...log.access import viewer_of
from ...log.idempotency import Attempt
from ...log.ids import creation_time
from ...log.reader import with_hashes
from ...state import ProxyState, server_of
from ..shared_fields import CacheRetention, PromptCacheOptions, TokenCount
from .context import load_context
from .request import ImageOptions, ResponsesRequest
from .response_object import usage_json

router = APIRouter()

ENDPOINT = "/v1/responses/compact"
# In a thread of its own: nobody goes on from the summary by going on from the conversation.
APART = ThreadPosition("", None)
SUMMARISE = (
    "Summarise this conversation for an assistant who will go on with it and has not read it. Keep every "
    "fact, name, number, path, decision and open question that may still matter, what the tools were asked "
    "and what they answered, and what is to be done next. Leave out what is settled and will not come up "
    "again. Write the summary and nothing else."
)


class CompactRequest(Body):
    "All fields of OpenAI's SDK (`types/responses/response_compact_params.py`), and `max_output_tokens`."

    model: str
    input: str | list[AnyItem] | None = None
    instructions: str | None = None
    previous_response_id: str | None = None
    max_output_tokens: TokenCount | None = None

    # Without effect: only their types are checked.
    image: ImageOptions | None = None
    prompt_cache_key: str | None = None
    prompt_cache_options: PromptCacheOptions | None = None
    prompt_cache_retention: CacheRetention | None = None
    service_tier: Literal["auto", "default", "fast", "flex", "priority"] | None = None

    def of_a_response(self) -> ResponsesRequest:
        return ResponsesRequest(
            model=self.model,
            input=self.input,
            instructions=self.instructions,
            previous_response_id=self.previous_response_id,
            max_output_tokens=self.max_output_tokens,
            store=False,
        )


@router.post(ENDPOINT)
async def compact(http: Request) -> dict[str, Any]:
    server = server_of(http)
    request = (await read_body(http, CompactRequest)).of_a_response()
    viewer = await viewer_of(http, server.plugins)
    ask = request.generation_request(await load_context(request, server.log_reader, viewer, {}))
    conversation = ask.messages[ask.added :]
    wanted = Message("user", [TextPart(SUMMARISE)])
    ask = replace(ask, endpoint=ENDPOINT, messages=(*ask.messages, wanted), continues=APART)
    attempt = await server.attempt(http)
    summary, usage = await cancel_on_disconnect(http, _answer(server, http, ask, attempt))
    return {
        "id": f"resp_{attempt.answer_id}",
        "object": "response.compaction",
        "created_at": creation_time(attempt.answer_id),
        "output": _output(conversation, attempt.answer_id, summary),
        "usage": usage_json(usage),
    }


async def _answer(
    server: ProxyState, http: Request, ask: GenerationRequest, attempt: Attempt
) -> tuple[str, TokenUsage]:
    texts, usage = [], TokenUsage(0, 0, 0)
    async with aclosing(server.events(ask, http, attempt)) as events:
        async for event in events:
            match event:
                case Finished():
                    usage = event.usage
                case StreamEvent(type="text", chunk=text):
                    texts.append(text)
    return "".join(texts), usage


def _output(conversation: Sequence[Message], turn_id: str, summary: str) -> list[dict[str, Any]]:
    said = [
        item
        for each in with_hashes(conversation)
        if each.message.role == "user"
        for item in message_items(each.message, each.hash.partition(":")[2])
    ]
    return [*said, compaction_item(item_id("compaction", turn_id, len(said)), summary)]
