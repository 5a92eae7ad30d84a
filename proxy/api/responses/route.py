"""`/v1/responses`: made, and asked for again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse

from ...http import sse
from ...http.errors import ApiError, to_api_error
from ...http.pagination import Page, paginate
from ...http.request_body import cancel_on_disconnect, read_body
from ...log.access import viewer_of
from ...log.reader import LoggedTurn
from ...log.spool import POLL_SECONDS
from ...log.tables import mark_deleted
from ...state import ProxyState, server_of
from .answer import ResponseRun
from .background import Backgrounds
from .context import ConversationLocks, locked_generation
from .item_stream import Event
from .queries import ENCRYPTED_CONTENT, find_response, input_items, logged_events, logged_response
from .request import ResponsesRequest

router = APIRouter()


@router.post("/v1/responses", response_model=None)
async def create(http: Request) -> Response:
    server = server_of(http)
    request = await read_body(http, ResponsesRequest)
    viewer = await viewer_of(http, server.plugins)
    attempt = await server.attempt(http, waits=not request.background)
    if attempt.done or attempt.running:
        return await _told(http, attempt.answer_id, stream=bool(request.stream))
    answer = ResponseRun(
        server, http, attempt, locked_generation(request, server.log_reader, viewer, locks_of(http), {})
    )
    if request.background:
        if server.writer_for(http, stored=True) is None:
            message = "A response in the background is kept in the log, and this request is not to be logged."
            raise ApiError(400, message, code="invalid_value", param="background")
        background = backgrounds_of(http).start(answer)
        await background.begun()
        if request.stream:
            return _stream(server, background.follow(-1))
        return JSONResponse((await anext(background.follow(-1)))["response"])
    if request.stream:
        return _stream(server, answer.events())
    return JSONResponse(await cancel_on_disconnect(http, answer.whole()))


@router.get("/v1/responses/{response_id}", response_model=None)
async def retrieve(
    http: Request,
    response_id: str,
    stream: bool = False,
    starting_after: Annotated[int, Query(ge=-1)] = -1,
    include: Annotated[list[str] | None, Query()] = None,
    include_: Annotated[list[str] | None, Query(alias="include[]")] = None,
) -> Response:
    "Whole, or as the events that it was streamed with, from behind any of them."
    logged = await _found(http, response_id)
    sealed = ENCRYPTED_CONTENT in (*(include or ()), *(include_ or ()))
    return await _told(http, logged.id, stream=stream, after=starting_after, sealed=sealed)


@router.delete("/v1/responses/{response_id}")
async def deleted(http: Request, response_id: str) -> dict[str, Any]:
    "It is not found any more. `llm logs` still shows it, until `llm gpt-oss logs prune`."
    logged = await _found(http, response_id)
    if logged.endpoint is None:
        message = (
            f"'{response_id}' was asked in the shell. `llm gpt-oss logs prune --turn {logged.id}` deletes it."
        )
        raise ApiError(400, message, code="invalid_value", param="response_id")
    await server_of(http).log_writer.change(lambda log: mark_deleted(log.db.conn, [logged.id]))
    return {"id": response_id, "object": "response", "deleted": True}


@router.post("/v1/responses/{response_id}/cancel", response_model=None)
async def cancel(http: Request, response_id: str) -> Response:
    "Of one that is made in the background; one that is over is told as it is."
    logged = await _found(http, response_id)
    if not logged.body.get("background"):
        message = "Only a response that was asked for with background=true can be cancelled."
        raise ApiError(400, message, code="invalid_value", param="response_id")
    if logged.in_progress:
        await backgrounds_of(http).cancel(logged.id)
        await _over(server_of(http), logged.id)
    return await _told(http, logged.id)


@router.get("/v1/responses/{response_id}/input_items")
async def inputs(http: Request, response_id: str, at: Annotated[Page, Query()]) -> dict[str, Any]:
    logged = await _found(http, response_id)
    return paginate(input_items(logged), at, first="desc")


def backgrounds_of(http: Request) -> Backgrounds:
    backgrounds: Backgrounds = http.app.state.backgrounds
    return backgrounds


def locks_of(http: Request) -> ConversationLocks:
    locks: ConversationLocks = http.app.state.locks
    return locks


async def _found(http: Request, response_id: str) -> LoggedTurn:
    server = server_of(http)
    logged = await find_response(server.log_reader, await viewer_of(http, server.plugins), response_id)
    if logged is None:
        raise ApiError(404, f"Response with id '{response_id[:100]}' not found.", param="response_id")
    return logged


async def _told(
    http: Request, turn_id: str, *, stream: bool = False, after: int = -1, sealed: bool = False
) -> Response:
    server = server_of(http)
    if stream:
        background = backgrounds_of(http).get(turn_id)
        events = background.follow(after) if background else _again(server, turn_id, after, sealed)
        return _stream(server, events)
    logged = await server.log_reader.turn(turn_id)
    assert logged  # it has just been found
    return JSONResponse(logged_response(logged, server.settings, include_encrypted=sealed))


async def _again(server: ProxyState, turn_id: str, after: int, sealed: bool) -> AsyncGenerator[Event, None]:
    "Of one that another process makes the first events, and the others when it is over."
    while True:
        logged = await server.log_reader.turn(turn_id)
        assert logged  # turns under way are never taken out
        for event in logged_events(logged, server.settings, include_encrypted=sealed):
            if event["sequence_number"] > after:
                after = event["sequence_number"]
                yield event
        if not logged.in_progress:
            return
        await asyncio.sleep(POLL_SECONDS)


async def _over(server: ProxyState, turn_id: str) -> LoggedTurn:
    "The turn when it is in the log, whichever process makes it."
    while True:
        logged = await server.log_reader.turn(turn_id)
        assert logged  # turns under way are never taken out
        if not logged.in_progress:
            return logged
        await asyncio.sleep(POLL_SECONDS)


def _stream(server: ProxyState, events: AsyncGenerator[Event, None]) -> Response:
    return sse.EventStream(_frames(events), _failed, server.settings.keep_alive)


async def _frames(events: AsyncGenerator[Event, None]) -> AsyncGenerator[bytes, None]:
    async with aclosing(events):
        async for event in events:
            yield sse.named_frame(event)


def _failed(error: Exception) -> bytes:
    "Only what cannot be told as an event of the response."
    told = to_api_error(error)
    return sse.named_frame({"type": "error", "code": told.code, "message": told.message, "param": told.param})
