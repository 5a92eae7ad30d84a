"""The turn of a passed request, from its beginning until it is in the log."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

from fastapi import Request as Http

from ...generation import GenerationRequest
from ...log.turn import RequestRecord, Turn
from ...log.writer import LogWriter
from ...state import ProxyState
from .reader import ForwardedReader


class ForwardedTurn:
    "`begin` once, `feed` with the answer's bytes, `end` once: from there on it is logged, whoever leaves."

    def __init__(self, ask: GenerationRequest, http: Http, server: ProxyState, store: LogWriter) -> None:
        self._ask = ask
        self._http = http
        self._server = server
        self._store = store
        self._answer = ForwardedReader(time.monotonic)
        self.feed = self._answer.feed

    async def begin(self) -> None:
        actor = await self._server.plugins.actor_of(self._http)
        client = self._http.headers.get("user-agent")
        body: bytes = self._http.state.body
        self._request = RequestRecord(self._ask.endpoint, body.decode(), actor, client)
        turn = Turn(self._answer.response(self._ask, self._ask.messages), self._request)
        self._id = turn.id
        # Not waited for: the request goes on its way at once.
        self._history = asyncio.ensure_future(self._store.begin(turn))

    async def end(self, status: int, error: str | None) -> None:
        self._answer.finish()
        await asyncio.shield(asyncio.ensure_future(self._ended(status, error or self._answer.error)))

    async def _ended(self, status: int, error: str | None) -> None:
        response = self._answer.response(self._ask, await self._history)
        response.id = self._id
        if error:
            response.response_json = {**(response.response_json or {}), "error": error}
        request = replace(
            self._request,
            status=status,
            error=error,
            finish_reason=self._answer.finish_reason,
            first_token_ms=self._answer.first_ms,
        )
        turn = Turn(response, request)
        if self._server.writer_for(self._http) is None:
            self._store.forget(turn)
            return
        await asyncio.wrap_future(self._store.record(turn))
        await self._server.plugins.turn_logged(turn.id, self._ask, status, error)
