"""`/v1/responses`: create a response, and retrieve, cancel or delete it later."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response
from fastapi.responses import JSONResponse

from ...http import sse
from ...http.disconnect import cancel_on_disconnect
from ...http.errors import ApiError, to_api_error
from ...inference.client_request import ClientRequest
from ...log.access import Viewer
from ...log.logged_turn import LoggedTurn
from ...log.spool import POLL_SECONDS
from ...log.tables import mark_deleted
from ...state import ProxyState, StateDep, ViewerDep, receive
from ..item_lists import ENCRYPTED_CONTENT, ItemPage, item_page
from .answer import ResponseRun
from .background import Backgrounds, BackgroundsDep
from .context import LocksDep, check_conversation, locked_generation
from .item_stream import Event
from .logged_responses import find_response, input_items, logged_events, logged_response
from .request import ResponsesRequest

router = APIRouter()


@router.post("/v1/responses", response_model=None)
async def create(
    state: StateDep,
    client: Annotated[ClientRequest[ResponsesRequest], Depends(receive(ResponsesRequest))],
    locks: LocksDep,
    backgrounds: BackgroundsDep,
) -> Response:
    body = client.body.model
    await check_conversation(body, state.log_reader, client.viewer)
    attempt = await state.retries.attempt(client, wait=not body.background)
    if attempt.done or attempt.running:
        client.name_turn(attempt.answer_id)
        logged = await _logged_turn(state, attempt.answer_id)
        return _logged_answer(state, backgrounds, logged, stream=bool(body.stream))
    generation = locked_generation(client, state.log_reader, locks, {})
    answer = ResponseRun(state, client, attempt, generation)
    if body.background:
        headers = client.request.headers
        if state.turn_logging.writer_for(headers, stored=True) is None:
            message = "A background response needs the log, and this request is not logged."
            raise ApiError(400, message, code="invalid_value", param="background")
        background = backgrounds.start(answer)
        await background.begun()
        if body.stream:
            return _stream(state, background.follow(-1))
        return JSONResponse((await anext(background.follow(-1)))["response"])
    if body.stream:
        return _stream(state, answer.events())
    return JSONResponse(await cancel_on_disconnect(client.request.receive, answer.response()))


@router.get("/v1/responses/{response_id}", response_model=None)
async def retrieve(
    state: StateDep,
    viewer: ViewerDep,
    backgrounds: BackgroundsDep,
    response_id: str,
    stream: bool = False,
    starting_after: Annotated[int, Query(ge=-1)] = -1,
    include: Annotated[list[str] | None, Query()] = None,
    include_brackets: Annotated[list[str] | None, Query(alias="include[]")] = None,
) -> Response:
    "The whole response, or the events that it was streamed with, starting after any of them."
    logged = await _find(state, viewer, response_id)
    include_encrypted = ENCRYPTED_CONTENT in (*(include or ()), *(include_brackets or ()))
    return _logged_answer(
        state, backgrounds, logged, stream=stream, after=starting_after, include_encrypted=include_encrypted
    )


@router.delete("/v1/responses/{response_id}")
async def delete(state: StateDep, viewer: ViewerDep, response_id: str) -> dict[str, Any]:
    "Hide the response from the API. `llm logs` still shows its turn, until `llm gpt-oss logs prune`."
    logged = await _find(state, viewer, response_id)
    if logged.endpoint is None:
        message = (
            f"'{response_id}' is a turn of the shell. `llm gpt-oss logs prune --turn {logged.id}` deletes it."
        )
        raise ApiError(400, message, code="invalid_value", param="response_id")
    await state.log_writer.change(lambda log: mark_deleted(log.db.conn, [logged.id]))
    return {"id": response_id, "object": "response", "deleted": True}


@router.post("/v1/responses/{response_id}/cancel", response_model=None)
async def cancel(
    state: StateDep, viewer: ViewerDep, backgrounds: BackgroundsDep, response_id: str
) -> Response:
    "Cancel a response that is generated in the background. One that has ended is returned as it is."
    logged = await _find(state, viewer, response_id)
    if not logged.body.get("background"):
        message = "Only a response that was created with background=true can be cancelled."
        raise ApiError(400, message, code="invalid_value", param="response_id")
    if logged.in_progress:
        await backgrounds.cancel(logged.id)
        logged = await _wait_for_end(state, logged)
    return _logged_answer(state, backgrounds, logged)


@router.get("/v1/responses/{response_id}/input_items")
async def list_input_items(
    state: StateDep, viewer: ViewerDep, response_id: str, page: Annotated[ItemPage, Query()]
) -> dict[str, Any]:
    "The whole input that the response answers, with the conversation that it continues."
    logged = await _find(state, viewer, response_id)
    entries = await input_items(state.log_reader, logged)
    return item_page(entries, page, display=state.settings.reasoning)


async def _find(state: ProxyState, viewer: Viewer, response_id: str) -> LoggedTurn:
    "Raises ApiError if there is no such response for this viewer."
    logged = await find_response(state.log_reader, viewer, response_id)
    if logged is None:
        raise ApiError(404, f"Response with id '{response_id[:100]}' not found.", param="response_id")
    return logged


async def _logged_turn(state: ProxyState, turn_id: str) -> LoggedTurn:
    logged = await state.log_reader.turn(turn_id)
    assert logged  # a turn that has begun stays in the log
    return logged


def _logged_answer(
    state: ProxyState,
    backgrounds: Backgrounds,
    logged: LoggedTurn,
    *,
    stream: bool = False,
    after: int = -1,
    include_encrypted: bool = False,
) -> Response:
    "Return the response as it is, or the stream of its events that come after number `after`."
    if not stream:
        return JSONResponse(logged_response(logged, state.settings, include_encrypted=include_encrypted))
    background = backgrounds.get(logged.id)
    return _stream(
        state,
        background.follow(after)
        if background
        else _follow(state, logged, after, include_encrypted=include_encrypted),
    )


async def _follow(
    state: ProxyState, logged: LoggedTurn, after: int, *, include_encrypted: bool
) -> AsyncGenerator[Event, None]:
    """Yield the events after number `after`.

    If another process is still generating the response, these are its first events now and the others when it
    has ended.
    """
    while True:
        for event in logged_events(logged, state.settings, include_encrypted=include_encrypted):
            if event["sequence_number"] > after:
                after = event["sequence_number"]
                yield event
        if not logged.in_progress:
            return
        await asyncio.sleep(POLL_SECONDS)
        logged = await _logged_turn(state, logged.id)


async def _wait_for_end(state: ProxyState, logged: LoggedTurn) -> LoggedTurn:
    "Wait until the turn has ended, in whichever process it runs."
    while True:
        logged = await _logged_turn(state, logged.id)
        if not logged.in_progress:
            return logged
        await asyncio.sleep(POLL_SECONDS)


def _stream(state: ProxyState, events: AsyncGenerator[Event, None]) -> Response:
    return sse.EventStream(_frames(events), _error_frame, state.settings.keep_alive)


async def _frames(events: AsyncGenerator[Event, None]) -> AsyncGenerator[bytes, None]:
    async with aclosing(events):
        async for event in events:
            yield sse.named_frame(event)


def _error_frame(error: Exception) -> bytes:
    "Return the event for an error that cannot be an event of the response itself."
    api_error = to_api_error(error)
    fields = {"code": api_error.code, "message": api_error.message, "param": api_error.param}
    return sse.named_frame({"type": "error", **fields})
