"""`/v1/conversations`: made, labelled, deleted, and their items."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field

from ...http.errors import ApiError
from ...http.pagination import Page, list_object, paginate
from ...http.request_body import read_body
from ...items.output import Item
from ...log.access import Viewer, viewer_of
from ...log.items import ItemEntry
from ...state import ProxyState, server_of
from .conversation import ID_PREFIX, Conversation, create_conversation, find_conversation
from .request import CreateConversation, CreateItems, UpdateConversation

router = APIRouter()

SEALED = "reasoning.encrypted_content"


class Including(BaseModel):
    "What a client wants of items that they do not always have."

    include: list[str] = []
    # As OpenAI's clients write a list.
    each: Annotated[list[str], Field(alias="include[]")] = []

    @property
    def sealed(self) -> bool:
        return SEALED in (*self.include, *self.each)


class Listing(Page, Including):
    pass


@router.post("/v1/conversations")
async def create(http: Request) -> dict[str, Any]:
    server, viewer = await _asked(http)
    sent = await read_body(http, CreateConversation)
    _logged(http, server)
    now, items, metadata = int(time.time()), sent.items or [], sent.metadata or {}
    return _told(
        await server.log_writer.change(lambda log: create_conversation(log, viewer, items, metadata, now))
    )


@router.get("/v1/conversations/{conversation_id}")
async def retrieve(http: Request, conversation_id: str) -> dict[str, Any]:
    server, viewer = await _asked(http)
    return _told(await server.log_reader.read(lambda log: find_conversation(log, viewer, conversation_id)))


@router.post("/v1/conversations/{conversation_id}")
async def update(http: Request, conversation_id: str) -> dict[str, Any]:
    server, viewer = await _asked(http)
    metadata = (await read_body(http, UpdateConversation)).metadata or {}
    return _told(
        await server.log_writer.change(
            lambda log: find_conversation(log, viewer, conversation_id).update_metadata(metadata)
        )
    )


@router.delete("/v1/conversations/{conversation_id}")
async def deleted(http: Request, conversation_id: str) -> dict[str, Any]:
    "It is not found any more. `llm logs` still shows its turns, until `llm gpt-oss logs prune`."
    server, viewer = await _asked(http)
    await server.log_writer.change(lambda log: find_conversation(log, viewer, conversation_id).delete())
    return {"id": conversation_id, "object": "conversation.deleted", "deleted": True}


@router.get("/v1/conversations/{conversation_id}/items")
async def items(http: Request, conversation_id: str, at: Annotated[Listing, Query()]) -> dict[str, Any]:
    server, viewer = await _asked(http)
    entries = await server.log_reader.read(
        lambda log: find_conversation(log, viewer, conversation_id).entries()
    )
    by_id = {each.id: each for each in entries}
    found_on = paginate([{"id": id} for id in by_id], at, first="desc")
    return {**found_on, "data": _shaped([by_id[each["id"]] for each in found_on["data"]], server, at)}


@router.post("/v1/conversations/{conversation_id}/items")
async def add(http: Request, conversation_id: str, how: Annotated[Including, Query()]) -> dict[str, Any]:
    server, viewer = await _asked(http)
    sent = (await read_body(http, CreateItems)).items
    _logged(http, server)
    added = await server.log_writer.change(
        lambda log: find_conversation(log, viewer, conversation_id).add(sent)
    )
    return list_object(_shaped(added, server, how), has_more=False)


@router.get("/v1/conversations/{conversation_id}/items/{item_id}")
async def item(http: Request, conversation_id: str, item_id: str, how: Annotated[Including, Query()]) -> Item:
    server, viewer = await _asked(http)
    entry = await server.log_reader.read(
        lambda log: find_conversation(log, viewer, conversation_id).entry(item_id)
    )
    (shaped,) = _shaped([entry], server, how)
    return shaped


@router.delete("/v1/conversations/{conversation_id}/items/{item_id}")
async def take_out(http: Request, conversation_id: str, item_id: str) -> dict[str, Any]:
    "Out of the conversation: responses that were asked with it, or put it out, still have it."
    server, viewer = await _asked(http)
    return _told(
        await server.log_writer.change(
            lambda log: find_conversation(log, viewer, conversation_id).remove(item_id)
        )
    )


async def _asked(http: Request) -> tuple[ProxyState, Viewer]:
    server = server_of(http)
    return server, await viewer_of(http, server.plugins)


def _logged(http: Request, server: ProxyState) -> None:
    "Raises ApiError where nothing may be kept."
    if server.writer_for(http, stored=True) is None:
        message = (
            "A conversation is kept in the log, and this request is not to be logged: its X-LLM-Log header "
            "says so, or `llm logs off`, or the server's --log-policy."
        )
        raise ApiError(400, message, code="log_off")


def _told(conversation: Conversation) -> dict[str, Any]:
    kept = conversation.thread
    return {
        "id": f"{ID_PREFIX}{kept.id}",
        "object": "conversation",
        "created_at": kept.created,
        "metadata": dict(kept.metadata),
    }


def _shaped(entries: Sequence[ItemEntry], server: ProxyState, how: Including) -> list[Item]:
    return [each.item(shown=server.settings.reasoning, sealed=how.sealed) for each in entries]
