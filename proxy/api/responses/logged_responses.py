"""Responses in the log: find one by its id, and render it as its client received it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ...http.disconnect import CLIENT_LEFT
from ...http.errors import NO_RETRY, SERVER, ApiError
from ...items.output import message_items
from ...log.access import Viewer
from ...log.fingerprint import tool_calls
from ...log.ids import creation_time
from ...log.logged_turn import LoggedTurn
from ...log.reader import LogReader
from ...settings import Settings
from .item_stream import Event
from .response_object import new_response
from .writer import ResponsesWriter

ENDPOINT = "/v1/responses"
# The prefixes with which an id may name a turn. The turn's own id has none.
PREFIXES = ("resp_", "chatcmpl-", "cmpl-")
ENCRYPTED_CONTENT = "reasoning.encrypted_content"


async def find_response(reader: LogReader, viewer: Viewer, response_id: str) -> LoggedTurn | None:
    """Return the turn with this id, or None. Any turn that the viewer may see counts as a response.

    Only responses with `store` set to false cannot be found.
    """
    prefix = next((prefix for prefix in PREFIXES if response_id.startswith(prefix)), "")
    turn = await reader.turn(response_id[len(prefix) :])
    if turn is None or turn.deleted or not viewer.can_see(turn.actor):
        return None
    return turn if turn.stored or not (turn.endpoint or "").startswith(ENDPOINT) else None


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
    calls = tool_calls([each.message for each in turn.answer])
    custom_tools = frozenset(call.name for call in calls if call.tool_call_id in turn.custom)
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


def input_items(turn: LoggedTurn) -> list[dict[str, Any]]:
    "The items of the request itself, without the conversation that it continued and its instructions."
    return [
        item
        for each in turn.prompt[turn.first_input :]
        for item in message_items(each.message, each.hash.partition(":")[2], custom_call_ids=turn.custom)
    ]
