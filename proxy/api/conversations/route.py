"""`/v1/conversations`: create, retrieve, update and delete conversations, and list, add and delete their
items."""

from __future__ import annotations

import time
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request

from ...http.errors import ApiError
from ...http.pagination import list_object
from ...inference.client_request import ClientRequest
from ...items.output import Item
from ...log.ids import CONVERSATION_PREFIX
from ...state import ProxyState, StateDep, ViewerDep, receive
from ..item_lists import ItemFields, ItemPage, item_page, render_items
from .conversation import Conversation, create_conversation, find_conversation
from .request import CreateConversation, CreateItems, UpdateConversation

router = APIRouter()


@router.post("/v1/conversations")
async def create(
    state: StateDep,
    client: Annotated[ClientRequest[CreateConversation], Depends(receive(CreateConversation))],
) -> dict[str, Any]:
    body, viewer = client.body.model, client.viewer
    _check_logging(state, client.request)
    now, items, metadata = int(time.time()), body.items or [], body.metadata or {}
    return _conversation_object(
        await state.log_writer.change(lambda log: create_conversation(log, viewer, items, metadata, now))
    )


@router.get("/v1/conversations/{conversation_id}")
async def retrieve(state: StateDep, viewer: ViewerDep, conversation_id: str) -> dict[str, Any]:
    return _conversation_object(
        await state.log_reader.read(lambda log: find_conversation(log, viewer, conversation_id))
    )


@router.post("/v1/conversations/{conversation_id}")
async def update(
    state: StateDep,
    client: Annotated[ClientRequest[UpdateConversation], Depends(receive(UpdateConversation))],
    conversation_id: str,
) -> dict[str, Any]:
    metadata = client.body.model.metadata or {}
    return _conversation_object(
        await state.log_writer.change(
            lambda log: find_conversation(log, client.viewer, conversation_id).update_metadata(metadata)
        )
    )


@router.delete("/v1/conversations/{conversation_id}")
async def delete(state: StateDep, viewer: ViewerDep, conversation_id: str) -> dict[str, Any]:
    "Hide the conversation from the API. `llm logs` still shows its turns, until `llm gpt-oss logs prune`."
    await state.log_writer.change(lambda log: find_conversation(log, viewer, conversation_id).delete())
    return {"id": conversation_id, "object": "conversation.deleted", "deleted": True}


@router.get("/v1/conversations/{conversation_id}/items")
async def list_items(
    state: StateDep, viewer: ViewerDep, conversation_id: str, page: Annotated[ItemPage, Query()]
) -> dict[str, Any]:
    entries = await state.log_reader.read(
        lambda log: find_conversation(log, viewer, conversation_id).entries()
    )
    return item_page(entries, page, display=state.settings.reasoning)


@router.post("/v1/conversations/{conversation_id}/items")
async def add_items(
    state: StateDep,
    client: Annotated[ClientRequest[CreateItems], Depends(receive(CreateItems))],
    conversation_id: str,
    fields: Annotated[ItemFields, Query()],
) -> dict[str, Any]:
    _check_logging(state, client.request)
    items = client.body.model.items
    added = await state.log_writer.change(
        lambda log: find_conversation(log, client.viewer, conversation_id).add(items)
    )
    return list_object(render_items(added, fields, display=state.settings.reasoning), has_more=False)


@router.get("/v1/conversations/{conversation_id}/items/{item_id}")
async def retrieve_item(
    state: StateDep,
    viewer: ViewerDep,
    conversation_id: str,
    item_id: str,
    fields: Annotated[ItemFields, Query()],
) -> Item:
    entry = await state.log_reader.read(
        lambda log: find_conversation(log, viewer, conversation_id).entry(item_id)
    )
    (item,) = render_items([entry], fields, display=state.settings.reasoning)
    return item


@router.delete("/v1/conversations/{conversation_id}/items/{item_id}")
async def delete_item(
    state: StateDep, viewer: ViewerDep, conversation_id: str, item_id: str
) -> dict[str, Any]:
    "Delete an item from the conversation. Responses that were generated with it still have it."
    return _conversation_object(
        await state.log_writer.change(
            lambda log: find_conversation(log, viewer, conversation_id).remove(item_id)
        )
    )


def _check_logging(state: ProxyState, request: Request) -> None:
    "Raises ApiError if this request is not logged."
    if state.turn_logging.writer_for(request.headers, stored=True) is None:
        message = (
            "A conversation needs the log, and this request is not logged, because of its X-LLM-Log header, "
            "`llm logs off` or the server's --log-policy."
        )
        raise ApiError(400, message, code="log_off")


def _conversation_object(conversation: Conversation) -> dict[str, Any]:
    thread = conversation.thread
    return {
        "id": f"{CONVERSATION_PREFIX}{thread.id}",
        "object": "conversation",
        "created_at": thread.created,
        "metadata": dict(thread.metadata),
    }
