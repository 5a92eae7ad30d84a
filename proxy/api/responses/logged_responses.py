"""Responses in the log: find one by its id, and render it as its client received it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

from ...http.disconnect import CLIENT_LEFT
from ...http.errors import NO_RETRY, SERVER, ApiError
from ...log.access import Viewer
from ...log.ids import creation_time, turn_of_answer
from ...log.items import ItemEntry, answer_entries, input_entries, request_entries
from ...log.logged_turn import LoggedTurn
from ...log.reader import LogReader
from ...settings import Settings
from ..item_lists import ENCRYPTED_CONTENT
from .item_stream import Event
from .response_object import new_response
from .writer import ResponsesWriter

ENDPOINT = "/v1/responses"


async def find_response(reader: LogReader, viewer: Viewer, response_id: str) -> LoggedTurn | None:
    """Return the turn with this id, or None. Any turn that the viewer may see counts as a response.

    Only responses with `store` set to false cannot be found.
    """
    turn = await reader.turn(turn_of_answer(response_id))
    if turn is None or turn.deleted or not viewer.can_see(turn.actor):
        return None
    return turn if turn.stored or not (turn.endpoint or "").startswith(ENDPOINT) else None


async def input_items(reader: LogReader, turn: LoggedTurn) -> list[ItemEntry]:
    """The items that a response answers, with those of the conversation that it continues.

    A response may continue others that are not in the database yet, which know the ids of their items.
    """
    turns = [turn]
    while previous := await _unlogged_previous(reader, turns[0]):
        turns.insert(0, previous)
    entries = await reader.read(lambda log: input_entries(log, turns[0]))
    for earlier, later in pairwise(turns):
        entries += [*answer_entries(earlier), *request_entries(later)]
    return entries


async def _unlogged_previous(reader: LogReader, turn: LoggedTurn) -> LoggedTurn | None:
    "The turn that an unlogged turn continues, if that was not logged either when the request came."
    previous_id = turn.body.get("previous_response_id") if turn.endpoint == ENDPOINT else None
    if turn.thread_id is not None or turn.continues is not None or previous_id is None:
        return None
    return await reader.turn(turn_of_answer(previous_id))


def response_writer(
    body: Mapping[str, Any], turn_id: str, model: str, custom_tools: frozenset[str], settings: Settings
) -> ResponsesWriter:
    "The writer for a request's body. `custom_tools` names the tools that take free text."
    response = new_response(body, id=f"resp_{turn_id}", created_at=creation_time(turn_id), model=model)
    # A client that requests a summary displays it. With both, it would display the reasoning twice.
    summary_only = settings.reasoning == "text" and response["reasoning"]["summary"]
    return ResponsesWriter(
        response,
        turn_id,
        custom_tools=custom_tools,
        reasoning="summary" if summary_only else settings.reasoning,
        include_encrypted=ENCRYPTED_CONTENT in (body.get("include") or ()),
        open_responses=settings.open_responses,
    )


def logged_events(
    turn: LoggedTurn, settings: Settings, *, include_encrypted: bool = False
) -> Iterator[Event]:
    """Yield the events of a logged turn, or the events so far if it is still in progress.

    For a turn of another endpoint, these are the events that a Responses client would have received.
    """
    body = turn.body if turn.endpoint == ENDPOINT else {}
    if include_encrypted:
        body = {**body, "include": [*(body.get("include") or ()), ENCRYPTED_CONTENT]}
    custom_tools = turn.custom_tools(turn.answer)
    writer = response_writer(body, turn.id, turn.model, custom_tools, settings)
    yield from writer.begin()
    for event in turn.events():
        yield from writer.feed(event)
    if turn.status == 200 or turn.in_progress:
        return
    if turn.status == CLIENT_LEFT:
        yield from writer.cancelled()
    else:
        yield from writer.failed(ApiError(turn.status, turn.error or "", SERVER, headers=NO_RETRY))


def logged_response(
    turn: LoggedTurn, settings: Settings, *, include_encrypted: bool = False
) -> dict[str, Any]:
    "The current response of a logged turn."
    *_, last = logged_events(turn, settings, include_encrypted=include_encrypted)
    response: dict[str, Any] = last["response"]
    return response
