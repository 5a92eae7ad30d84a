"""The turn of a forwarded request, from its beginning until it is logged."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import replace

from ...generation import GenerationRequest
from ...hookspecs import Plugins
from ...log.access import Viewer
from ...log.policy import TurnLogging
from ...log.turn import RequestRecord, Turn
from ...log.writer import LogWriter
from .reader import ForwardedReader


class ForwardedTurn:
    """The turn of one forwarded request. Creating it records the turn in the log as in progress.

    Pass the bytes of the answer to `feed`, then call `end` once. From that call on, the turn is logged even
    if the caller is cancelled. `body` and `headers` are those of the request.
    """

    def __init__(
        self,
        generation: GenerationRequest,
        body: bytes,
        headers: Mapping[str, str],
        viewer: Viewer,
        writer: LogWriter,
        turn_logging: TurnLogging,
        plugins: Plugins,
    ) -> None:
        self._generation = generation
        self._headers = headers
        self._writer = writer
        self._turn_logging = turn_logging
        self._plugins = plugins
        self._record = RequestRecord(
            generation.endpoint, body.decode(), viewer.actor, headers.get("user-agent")
        )
        self._answer = ForwardedReader(time.monotonic)
        response = self._answer.response(generation, generation.messages)
        self._turn_id = response.id
        # Not awaited here, so that the request is forwarded without delay.
        self._messages = asyncio.ensure_future(writer.begin(Turn(response, self._record)))
        self.feed = self._answer.feed

    async def end(self, status: int, error: str | None) -> None:
        self._answer.finish()
        await asyncio.shield(asyncio.ensure_future(self._log(status, error or self._answer.error)))

    async def _log(self, status: int, error: str | None) -> None:
        response = self._answer.response(self._generation, await self._messages)
        response.id = self._turn_id
        if error:
            response.response_json = {**(response.response_json or {}), "error": error}
        record = replace(
            self._record,
            status=status,
            error=error,
            finish_reason=self._answer.finish_reason,
            first_token_ms=self._answer.first_ms,
        )
        turn = Turn(response, record)
        if self._turn_logging.writer_for(self._headers) is None:
            self._writer.forget(turn)
            return
        await asyncio.wrap_future(self._writer.record(turn))
        await self._plugins.turn_logged(turn.id, self._generation, status, error)
