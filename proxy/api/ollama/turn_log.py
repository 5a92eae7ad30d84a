"""The turn of a forwarded request, from its beginning until it is logged."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone

import llm
from llm.parts import Message

from llm_gpt_oss.llm_internals import set_times
from llm_gpt_oss.streaming import BusyTime
from llm_gpt_oss.turn.progress import Progress

from ...generation import GenerationRequest
from ...http.errors import ApiError
from ...http.long_work import off_loop
from ...inference.active_runs import ActiveRun, progress_of_events
from ...log.access import Viewer
from ...log.earlier_completion import EarlierCompletion, find_earlier_completion
from ...log.turn import RequestRecord, Turn
from ...log.writer import LogWriter
from ...state import ProxyState
from .reader import ForwardedReader


@dataclass(frozen=True, slots=True)
class LoggedCompletion:
    """What is logged of a forwarded request: its generation, its body as JSON text, and its answer's reader.

    `begun` is the beginning of the answer, if the prompt has one.
    """

    generation: GenerationRequest
    body: str
    reader: ForwardedReader
    begun: Sequence[Message] = ()


class ForwardedTurn:
    """The turn of one forwarded request, with an `id`. Creating it records it in the log as in progress.

    Call `start` in the task that reads the answer, pass its bytes to `feed`, then call `end` once. From that
    call on, the turn is logged even if the caller is cancelled. If the answer was begun by an earlier
    request, both are one turn.
    """

    def __init__(
        self,
        completion: LoggedCompletion,
        headers: Mapping[str, str],
        viewer: Viewer,
        writer: LogWriter,
        state: ProxyState,
    ) -> None:
        self._completion = completion
        self._headers = headers
        self._writer = writer
        self._state = state
        generation = completion.generation
        self._record = RequestRecord(
            generation.endpoint, completion.body, viewer.actor, headers.get("user-agent")
        )
        self._answer = completion.reader
        self._response = self._answer.response(generation, generation.messages)
        # Not awaited here, so that the request is forwarded without delay.
        self._messages = asyncio.ensure_future(writer.begin(Turn(self._response, self._record)))
        self._busy = BusyTime()
        self.id = self._response.id

    is_queued = False
    queue_ms = None

    @property
    def first_token_ms(self) -> int | None:
        return self._answer.first_ms

    def progress(self) -> Progress:
        return progress_of_events(self._answer.events)

    def start(self) -> ActiveRun:
        "Show the turn as one that runs now."
        self._running = self._state.running.start(
            self,
            id=self._response.id,
            actor=self._record.actor,
            client=self._record.client,
            generation=self._completion.generation,
            logged=True,
        )
        self._running.begin_reading()
        return self._running

    async def feed(self, data: bytes) -> None:
        await self._read(self._answer.feed(data))

    async def end(self, status: int, error: str | None) -> None:
        await asyncio.shield(asyncio.ensure_future(self._end(status, error)))

    async def _end(self, status: int, error: str | None) -> None:
        await self._read(self._answer.finish())
        error = error or self._answer.error
        self._state.running.end(self._running, status, error)
        await self._log(status, error)

    async def _read(self, steps: Iterator[None]) -> None:
        for _ in steps:
            await self._busy.pause()

    async def _log(self, status: int, error: str | None) -> None:
        generation, messages = self._completion.generation, await self._messages
        response = await off_loop(self._answer.size, self._answer.response, generation, messages)
        response.id = self._response.id
        record = replace(
            self._record,
            status=status,
            error=error,
            finish_reason=self._answer.finish_reason,
            first_token_ms=self._answer.first_ms,
        )
        self._state.counters.turn_ended(Turn(response, record))
        if self._state.turn_logging.writer_for(self._headers) is None:
            self._writer.forget(Turn(response, record))
            return
        if earlier := await self._earlier_completion(messages):
            self._writer.forget(Turn(response, record))
            record = replace(record, first_token_ms=earlier.first_token_ms)
            add_earlier_completion(response, earlier)
        if error:
            response.response_json = {**(response.response_json or {}), "error": error}
        turn = Turn(response, record)
        await asyncio.wrap_future(self._writer.record(turn))
        await self._state.plugins.turn_logged(turn.id, generation, status, error)

    async def _earlier_completion(self, messages: Sequence[Message]) -> EarlierCompletion | None:
        "Return the turn of the requests that began this answer, or None."
        begun, generation, actor = self._completion.begun, self._completion.generation, self._record.actor
        if not begun:
            return None
        try:
            return await self._state.log_reader.read(
                lambda log: find_earlier_completion(
                    log, generation.endpoint, generation.model, actor, messages, begun
                )
            )
        except (ApiError, OSError, sqlite3.Error):
            return None  # then each request is a turn of its own


def add_earlier_completion(response: llm.Response, earlier: EarlierCompletion) -> None:
    "Make `response` the response of both: its turn replaces that of the earlier completion."
    response.id = earlier.turn_id
    seconds = (datetime.now(timezone.utc) - earlier.started).total_seconds()
    set_times(response, earlier.started, seconds)
    details, earlier_details = response.token_details or {}, earlier.token_details
    counts = ("load_ms", "prompt_ms", "completion_ms", "reasoning_tokens")
    output = earlier.output_tokens + (response.output_tokens or 0)
    sums = {name: earlier_details.get(name, 0) + details.get(name, 0) for name in counts}
    if sums["completion_ms"]:
        sums["tokens_per_second"] = round(output / sums["completion_ms"] * 1000, 1)
    response.set_usage(input=earlier.input_tokens, output=output, details={**earlier_details, **sums})
    data, outcome = response.response_json or {}, earlier.raw.get("outcome") or {}
    notes = [*outcome.get("notes", ()), *data["outcome"]["notes"]]
    response.response_json = {
        **data,
        "outcome": {**data["outcome"], "notes": notes},
        "completions": earlier.raw.get("completions", 0) + data["completions"],
    }
