"""`/v1/chat/completions`: those that clients wanted stored, listed and asked for again."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from llm.parts import Message, TextPart, ToolResultPart
from pydantic import ConfigDict

from ...http.body_model import Body
from ...http.errors import ApiError
from ...http.pagination import Page, list_object, paginate
from ...http.request_body import read_body
from ...log.access import Viewer, viewer_of
from ...log.fingerprint import tool_calls
from ...log.reader import LoggedTurn
from ...log.replay import replay_events
from ...state import ProxyState, server_of
from ..shared_fields import Metadata
from . import queries
from .request import ReasoningFields
from .writer import ChatWriter, Chunk, accumulate, base_chunk, usage_json

router = APIRouter()

_METADATA = re.compile(r"metadata\[(.+)\]", re.DOTALL)
# As many as a completion can have.
MOST_PAIRS = 16


class Listing(Page):
    model: str | None = None


class Asked(ReasoningFields):
    "A request's body as the log has it: whatever else is in it."

    model_config = ConfigDict(extra="ignore")


class Update(Body):
    metadata: Metadata | None


@router.get("/v1/chat/completions")
async def completions(http: Request, at: Annotated[Listing, Query()]) -> dict[str, Any]:
    server, viewer = await _asked(http)
    descending = at.order == "desc"
    wanted = queries.ListQuery(viewer, at.model, _metadata(http), _behind(at.after), descending)
    turns = await server.log_reader.read(lambda log: queries.list_completions(log, wanted, at.limit + 1))
    return list_object([completion(each) for each in turns[: at.limit]], has_more=len(turns) > at.limit)


@router.get("/v1/chat/completions/{completion_id}")
async def retrieve(http: Request, completion_id: str) -> Chunk:
    server, viewer = await _asked(http)
    return completion(
        await server.log_reader.read(lambda log: queries.find_completion(log, viewer, completion_id))
    )


@router.post("/v1/chat/completions/{completion_id}")
async def update(http: Request, completion_id: str) -> Chunk:
    server, viewer = await _asked(http)
    metadata = (await read_body(http, Update)).metadata or {}
    return completion(
        await server.log_writer.change(
            lambda log: queries.update_metadata(log, viewer, completion_id, metadata)
        )
    )


@router.delete("/v1/chat/completions/{completion_id}")
async def deleted(http: Request, completion_id: str) -> dict[str, Any]:
    "It is not found any more. `llm logs` still shows it, until `llm gpt-oss logs prune`."
    server, viewer = await _asked(http)
    await server.log_writer.change(lambda log: queries.delete_completion(log, viewer, completion_id))
    return {"object": "chat.completion.deleted", "id": completion_id, "deleted": True}


@router.get("/v1/chat/completions/{completion_id}/messages")
async def messages(http: Request, completion_id: str, at: Annotated[Page, Query()]) -> dict[str, Any]:
    "What the model was asked with."
    server, viewer = await _asked(http)
    first, *_ = await server.log_reader.read(lambda log: queries.find_completion(log, viewer, completion_id))
    logged = await server.log_reader.turn(first.id)
    assert logged  # it has just been found
    asked = [{"id": f"{completion_id}-{n}", **each} for n, each in enumerate(asked_with(logged))]
    return paginate(asked, at, first="asc")


async def _asked(http: Request) -> tuple[ProxyState, Viewer]:
    server = server_of(http)
    return server, await viewer_of(http, server.plugins)


def _metadata(http: Request) -> dict[str, str]:
    "`metadata[key]=value`, as OpenAI's clients write it."
    pairs = ((_METADATA.fullmatch(name), value) for name, value in http.query_params.multi_items())
    metadata = {name[1]: value for name, value in pairs if name}
    if len(metadata) > MOST_PAIRS:
        message = f"'metadata' has {len(metadata)} keys, and {MOST_PAIRS} are the most."
        raise ApiError(400, message, code="object_above_max_properties", param="metadata")
    return metadata


def _behind(after: str | None) -> str | None:
    "The turn. It may be deleted by now: whoever deletes what is on a page still gets the next."
    if after is None or (turn_id := queries.parse_completion_id(after)):
        return after and turn_id
    message = f"'{after[:100]}' is no id of a chat completion."
    raise ApiError(400, message, code="invalid_value", param="after")


def completion(turns: Sequence[LoggedTurn]) -> Chunk:
    "As its client got it, or would have got it whole; and its metadata."
    first = turns[0]
    shared = base_chunk(first.body["model"], first.answer_id)
    chunks = [chunk for index, turn in enumerate(turns) for chunk in _chunks(turn, shared, index)]
    usage = usage_json([turn.usage for turn in turns])
    return {**accumulate(chunks, usage), "metadata": dict(first.metadata)}


def _chunks(turn: LoggedTurn, shared: Chunk, index: int) -> Iterator[Chunk]:
    writer = ChatWriter(shared, custom_tools(turn), index, reasoning=shows_reasoning(turn))
    for event in turn.events():
        yield from writer.feed(event)


def custom_tools(turn: LoggedTurn) -> frozenset[str]:
    made = tool_calls([each.message for each in (*turn.prompt, *turn.answer)])
    return frozenset(call.name for call in made if call.tool_call_id in turn.custom)


def shows_reasoning(turn: LoggedTurn) -> bool:
    return Asked.model_validate(turn.body).show_reasoning


def asked_with(logged: LoggedTurn) -> Iterator[dict[str, Any]]:
    """The messages as they were sent; those that the log has of earlier requests as it has them.

    What is not the client's own (an instruction that a field of the request came to) is left out.
    """
    sent = logged.body["messages"]
    for each in logged.prompt[logged.added : len(logged.prompt) - len(sent)]:
        yield from _of_log(each.message, logged)
    yield from map(_of_client, sent)


def _of_client(sent: Mapping[str, Any]) -> dict[str, Any]:
    content = sent.get("content")
    parts = content if isinstance(content, list) else None
    if parts:
        content = "\n".join(part.get("text") or part.get("refusal") or "" for part in parts)
    return {"refusal": None, **sent, "content": content, "content_parts": parts}


def _of_log(message: Message, logged: LoggedTurn) -> Iterator[dict[str, Any]]:
    shape = {"role": message.role, "refusal": None, "content_parts": None}
    if message.role == "assistant":
        writer = ChatWriter({}, custom_tools(logged), 0, reasoning=shows_reasoning(logged))
        events = replay_events([message], pieces=None, logprobs=None, finished=None)
        chunks = (chunk for event in events for chunk in writer.feed(event))
        yield {**shape, **accumulate(chunks, {})["choices"][0]["message"]}
    elif message.role == "tool":
        results = [part for part in message.parts if isinstance(part, ToolResultPart)]
        for part in results:
            yield {**shape, "content": part.output, "tool_call_id": part.tool_call_id}
    else:
        text = "\n".join(part.text for part in message.parts if isinstance(part, TextPart))
        yield {**shape, "content": text}
