"""`/v1/chat/completions`: list, retrieve, update and delete completions that clients asked to store."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, get_args

from fastapi import APIRouter, Depends, Query, Request
from llm.parts import Message, TextPart, ToolResultPart
from pydantic import ConfigDict, TypeAdapter

from ...http.body_model import Body
from ...http.errors import ApiError
from ...http.pagination import Page, list_object, paginate
from ...inference.client_request import ClientRequest
from ...items.content import Content, TextContent, joined_text
from ...log.logged_turn import LoggedTurn
from ...log.replay import replay_events
from ...settings import ReasoningField
from ...state import StateDep, ViewerDep, receive
from ..shared_fields import Metadata
from .request import ReasoningFields
from .stored_completions import (
    ListQuery,
    delete_completion,
    find_completion,
    list_completions,
    parse_completion_id,
    update_metadata,
)
from .tools import has_functions
from .writer import ChatWriter, Chunk, accumulate, base_chunk, usage_json

router = APIRouter()

_METADATA = re.compile(r"metadata\[(.+)\]", re.DOTALL)
CONTENT: TypeAdapter[Any] = TypeAdapter(Content)
TEXT_TYPES = get_args(TextContent.model_fields["type"].annotation)
# A completion cannot have more metadata than this.
MAX_METADATA = 16


class CompletionPage(Page):
    model: str | None = None


class LoggedBody(ReasoningFields):
    "A request's body in the log, of which only the fields about reasoning are read."

    model_config = ConfigDict(extra="ignore")


class UpdateCompletion(Body):
    metadata: Metadata | None


@router.get("/v1/chat/completions")
async def list_stored(
    request: Request, state: StateDep, viewer: ViewerDep, page: Annotated[CompletionPage, Query()]
) -> dict[str, Any]:
    descending = page.order == "desc"
    query = ListQuery(viewer, page.model, _metadata_filter(request), _after_turn(page.after), descending)
    turns = await state.log_reader.read(lambda log: list_completions(log, query, page.limit + 1))
    field = state.settings.reasoning_field
    completions = [completion(each, field) for each in turns[: page.limit]]
    return list_object(completions, has_more=len(turns) > page.limit)


@router.get("/v1/chat/completions/{completion_id}")
async def retrieve(state: StateDep, viewer: ViewerDep, completion_id: str) -> Chunk:
    turns = await state.log_reader.read(lambda log: find_completion(log, viewer, completion_id))
    return completion(turns, state.settings.reasoning_field)


@router.post("/v1/chat/completions/{completion_id}")
async def update(
    state: StateDep,
    client: Annotated[ClientRequest[UpdateCompletion], Depends(receive(UpdateCompletion))],
    completion_id: str,
) -> Chunk:
    metadata = client.body.model.metadata or {}
    turns = await state.log_writer.change(
        lambda log: update_metadata(log, client.viewer, completion_id, metadata)
    )
    return completion(turns, state.settings.reasoning_field)


@router.delete("/v1/chat/completions/{completion_id}")
async def delete(state: StateDep, viewer: ViewerDep, completion_id: str) -> dict[str, Any]:
    "Hide the completion from the API. `llm logs` still shows its turns, until `llm gpt-oss logs prune`."
    await state.log_writer.change(lambda log: delete_completion(log, viewer, completion_id))
    return {"object": "chat.completion.deleted", "id": completion_id, "deleted": True}


@router.get("/v1/chat/completions/{completion_id}/messages")
async def list_messages(
    state: StateDep, viewer: ViewerDep, completion_id: str, page: Annotated[Page, Query()]
) -> dict[str, Any]:
    "The messages that the completion answers."
    first, *_ = await state.log_reader.read(lambda log: find_completion(log, viewer, completion_id))
    logged = await state.log_reader.turn(first.id)
    assert logged  # a turn stays in the log
    sent = request_messages(logged, state.settings.reasoning_field)
    messages = [{"id": f"{completion_id}-{n}", **each} for n, each in enumerate(sent)]
    return paginate(messages, page, default_order="asc")


def _metadata_filter(request: Request) -> dict[str, str]:
    "Return the query's metadata, which OpenAI's clients write as `metadata[key]=value`."
    pairs = ((_METADATA.fullmatch(name), value) for name, value in request.query_params.multi_items())
    metadata = {match[1]: value for match, value in pairs if match}
    if len(metadata) > MAX_METADATA:
        message = f"'metadata' has {len(metadata)} keys. Send at most {MAX_METADATA}."
        raise ApiError(400, message, code="object_above_max_properties", param="metadata")
    return metadata


def _after_turn(after: str | None) -> str | None:
    """Return the id of the turn after which the page begins. Raises ApiError for an invalid id.

    The turn may be deleted: a client that deletes the completions of a page can still ask for the next page.
    """
    if after is None or (turn_id := parse_completion_id(after)):
        return after and turn_id
    message = f"'{after[:100]}' is not the id of a chat completion."
    raise ApiError(400, message, code="invalid_value", param="after")


def completion(turns: Sequence[LoggedTurn], field: ReasoningField) -> Chunk:
    "Return the completion as its client received it, or would have without streaming, and its metadata."
    first = turns[0]
    shared = base_chunk(first.body["model"], first.answer_id)
    chunks = [chunk for index, turn in enumerate(turns) for chunk in _chunks(turn, shared, index, field)]
    usage = usage_json([turn.usage for turn in turns])
    return {**accumulate(chunks, usage), "metadata": dict(first.metadata)}


def _chunks(turn: LoggedTurn, shared: Chunk, index: int, field: ReasoningField) -> Iterator[Chunk]:
    writer = _writer(turn, shared, index, field)
    for event in turn.events():
        yield from writer.feed(event)


def _writer(turn: LoggedTurn, shared: Chunk, index: int, field: ReasoningField) -> ChatWriter:
    return ChatWriter(
        shared,
        turn.custom_tools((*turn.prompt, *turn.answer)),
        index,
        reasoning_names=reasoning_names(turn, field),
        as_function_call=has_functions(turn.body.get("tools"), turn.body.get("functions")),
    )


def reasoning_names(turn: LoggedTurn, field: ReasoningField) -> tuple[str, ...]:
    return LoggedBody.model_validate(turn.body).reasoning_names(field)


def request_messages(logged: LoggedTurn, field: ReasoningField) -> Iterator[dict[str, Any]]:
    """Yield the messages of the request: its own as the client sent them, earlier ones as the log has them.

    Messages that the server added, such as the instruction for a verbosity, are left out.
    """
    sent = logged.body["messages"]
    for each in logged.prompt[logged.added : len(logged.prompt) - len(sent)]:
        yield from _logged_message(each.message, logged, field)
    yield from map(_sent_message, sent)


def _sent_message(sent: Mapping[str, Any]) -> dict[str, Any]:
    content = sent.get("content")
    if not isinstance(content, list):
        return {"refusal": None, **sent, "content": content, "content_parts": None}
    text = joined_text(CONTENT.validate_python(content))
    return {"refusal": None, **sent, "content": text, "content_parts": [*_stored_parts(content)] or None}


def _stored_parts(content: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    "Yield the parts that `types/chat/chat_completion_store_message.py` has: texts and images."
    for part in content:
        if part["type"] in TEXT_TYPES:
            yield {**part, "type": "text", "text": part.get("text") or ""}
        elif part["type"] == "image_url":
            yield {**part}


def _logged_message(message: Message, logged: LoggedTurn, field: ReasoningField) -> Iterator[dict[str, Any]]:
    common = {"role": message.role, "refusal": None, "content_parts": None}
    if message.role == "assistant":
        writer = _writer(logged, {}, 0, field)
        events = replay_events([message], pieces=None, logprobs=None, finished=None)
        chunks = (chunk for event in events for chunk in writer.feed(event))
        yield {**common, **accumulate(chunks, {})["choices"][0]["message"]}
    elif message.role == "tool":
        results = [part for part in message.parts if isinstance(part, ToolResultPart)]
        for part in results:
            yield {**common, "content": part.output, "tool_call_id": part.tool_call_id}
    else:
        text = "\n".join(part.text for part in message.parts if isinstance(part, TextPart))
        yield {**common, "content": text}
