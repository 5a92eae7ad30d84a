"""A response of the log: found by its id, and told as it was told when it was made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ...http.disconnect import CLIENT_LEFT
from ...http.errors import NO_RETRY, SERVER, ApiError
from ...items.output import items
from ...log.access import Viewer
from ...log.fingerprint import tool_calls
from ...log.ids import creation_time
from ...log.reader import LoggedTurn, LogReader
from ...settings import Settings
from .item_stream import Event
from .response_object import new_response
from .writer import ResponsesWriter

ENDPOINT = "/v1/responses"
# What a turn may go by, besides its own id.
PREFIXES = ("resp_", "chatcmpl-", "cmpl-")
SEALED = "reasoning.encrypted_content"


async def find_response(stored: LogReader, viewer: Viewer, response_id: str) -> LoggedTurn | None:
    "Any turn of the log that the viewer may see, but for responses that were not to be stored."
    prefix = next((prefix for prefix in PREFIXES if response_id.startswith(prefix)), "")
    logged = await stored.turn(response_id[len(prefix) :])
    if logged is None or logged.deleted or not viewer.can_see(logged.actor):
        return None
    return logged if logged.stored or not (logged.endpoint or "").startswith(ENDPOINT) else None


def response_writer(
    body: Mapping[str, Any], turn_id: str, model: str, custom: frozenset[str], settings: Settings
) -> ResponsesWriter:
    "`custom` names the tools whose one argument is free text."
    response = new_response(body, id=f"resp_{turn_id}", created_at=creation_time(turn_id), model=model)
    # Whoever asks for a summary looks for one; whoever got both would show the same twice.
    summary = settings.reasoning == "text" and response["reasoning"]["summary"]
    return ResponsesWriter(
        response,
        turn_id,
        custom=custom,
        reasoning="summary" if summary else settings.reasoning,
        sealed=SEALED in (body.get("include") or ()),
        open_responses=settings.open_responses,
    )


def logged_events(logged: LoggedTurn, settings: Settings, *, sealed: bool = False) -> Iterator[Event]:
    "All that a client was told, or would have been; as far as it has come, where it is still under way."
    body = logged.body if logged.endpoint == ENDPOINT else {}
    if sealed:
        body = {**body, "include": [*(body.get("include") or ()), SEALED]}
    made = tool_calls([each.message for each in logged.answer])
    custom = frozenset(call.name for call in made if call.tool_call_id in logged.custom)
    writer = response_writer(body, logged.id, logged.model, custom, settings)
    yield from writer.begin()
    for event in logged.events():
        yield from writer.feed(event)
    if logged.status == 200 or logged.in_progress:
        return
    if logged.status == CLIENT_LEFT:
        yield from writer.cancelled()
    else:
        yield from writer.failed(ApiError(logged.status, logged.error or "", SERVER, headers=NO_RETRY))


def logged_response(logged: LoggedTurn, settings: Settings, *, sealed: bool = False) -> dict[str, Any]:
    "The response as it stands."
    *_, last = logged_events(logged, settings, sealed=sealed)
    response: dict[str, Any] = last["response"]
    return response


def input_items(logged: LoggedTurn) -> list[dict[str, Any]]:
    "What the request itself brought: not what it went on from, nor its instructions."
    brought = logged.prompt[logged.first_input :]
    return [
        item
        for each in brought
        for item in items(each.message, each.hash.partition(":")[2], custom=logged.custom)
    ]
