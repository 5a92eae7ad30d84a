"""One model call from its place in the log to its end: queue, stream, log."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Sequence
from concurrent.futures import Future
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import llm
from llm.parts import Message, StreamEvent

from llm_gpt_oss.errors import BadRequest
from llm_gpt_oss.llm_internals import events_so_far, messages_so_far, partial_response, set_start_time
from llm_gpt_oss.models import AsyncGptOss
from llm_gpt_oss.streaming import BusyTime
from llm_gpt_oss.turn.progress import Progress

from ..generation import CustomCall, Finished, GenerationRequest, TokenUsage
from ..hookspecs import Plugins
from ..http.disconnect import CLIENT_LEFT
from ..http.errors import to_api_error
from ..http.server_stop import STOPPED, ServerStop
from ..log.fingerprint import tool_calls
from ..log.idempotency import Attempt
from ..log.ids import end_time
from ..log.logged_turn import client_notes
from ..log.policy import TurnLogging
from ..log.replay import PieceLengths
from ..log.turn import RequestRecord, Turn
from ..metrics.counters import Counters
from .active_runs import ActiveRun, ActiveRuns, RunStopped, progress_of_events
from .client_request import ClientRequest
from .finish_reason import finish_reason
from .model_names import AnyModel
from .queue import Queue

logger = logging.getLogger(__name__)


class Run:
    """A model call and its turn in the log.

    Await `begin` once, then read `events` once. The turn is logged once, however it ends, before `events`
    yields `Finished` and before an error leaves it. `cancel_reason` is logged for a run that is cancelled,
    except by the stop of the server.
    `queue_ms` and `first_token_ms` are None until they are known.
    `failed` is set when the queue, the model or the reader ends the run, before the turn is logged.

    `generation` is final: plugins have changed it and it fits the `model`. `entry_distances` tells for each
    entry of the client's list of messages or items how far from the end of `generation.messages` its message
    is. `started` is the value of `time.perf_counter` when the call started.
    """

    def __init__(
        self,
        generation: GenerationRequest,
        model: AnyModel,
        client: ClientRequest[Any],
        attempt: Attempt,
        choice: int,
        entry_distances: Sequence[int],
        started: float,
        *,
        queue: Queue,
        turn_logging: TurnLogging,
        plugins: Plugins,
        stop: ServerStop,
        counters: Counters,
        running: ActiveRuns,
    ) -> None:
        self._generation = generation
        self._model = model
        self._client = client
        self._turn_id = attempt.ids[choice]
        self._started = started
        self._queue = queue
        self._turn_logging = turn_logging
        self._plugins = plugins
        self._stop = stop
        self._counters = counters
        self._runs = running
        self._running: ActiveRun | None = None
        self._writer = turn_logging.writer_for(client.request.headers, stored=generation.store)
        self._pieces = PieceLengths()
        self.queue_ms: int | None = None
        self.first_token_ms: int | None = None
        self._record = RequestRecord(
            generation.endpoint,
            "" if client.body.translated else client.body.raw.decode(),
            client.viewer.actor,
            client.request.headers.get("user-agent"),
            generation.store,
            generation.metadata,
            model=generation.model,
            answer_id=attempt.answer_id,
            idempotency_key=attempt.key,
            added=generation.added,
            known=generation.known,
            continues=generation.continues,
            sent=entry_distances,
            custom_calls=sorted(generation.custom_calls),
            ignored=[*client.body.ignored],
            parsed=client.body.json,
        )
        self._response = self._prompt(generation.messages)
        self.cancel_reason = "The client disconnected."
        self.failed = False

    @property
    def refused(self) -> bool:
        "Whether the queue had no place for this run."
        return self.failed and self.queue_ms is None

    async def begin(self) -> None:
        """Record the turn in the log as in progress, and restore the messages that the client left out.

        Raises ApiError if there is no room left for turns that cannot be logged.
        """
        if self._writer is None:
            return
        self._writer.check_room()
        self._client.name_turn(self._record.answer_id or self._turn_id)
        try:
            messages = await self._writer.begin(Turn(partial_response(self._response), self._record))
        except asyncio.CancelledError as error:
            await self._log_failure(error)
            raise
        if [*map(id, messages)] != [*map(id, self._generation.messages)]:
            self._response = self._prompt(messages)

    @property
    def conversation(self) -> list[Message]:
        "The messages that this client's next request would continue, with the answer so far."
        turn = partial_response(self._response)
        return [*turn.prompt.messages[self._generation.added :], *messages_so_far(turn)]

    async def events(self) -> AsyncGenerator[StreamEvent | Finished, None]:
        "Yield the answer's events as the model writes it. Raises errors of the queue and of the model."
        try:
            waiting, busy = time.perf_counter(), BusyTime()
            self._running = running = self._start_run()
            async with running.stoppable(), self._queue.slot():
                self.queue_ms = _milliseconds_since(waiting)
                async with aclosing(self._response.astream_events()) as events:  # type: ignore[no-untyped-call]
                    async for event in events:
                        is_first = self.first_token_ms is None
                        if is_first:
                            self.first_token_ms = _milliseconds_since(self._started)
                        if self._generation.replayable:
                            self._pieces.feed(event)
                        running.is_reading = False
                        yield event
                        running.is_reading = True
                        if is_first:
                            running.begin_reading()  # the rest may be read by another task
                        if running.stop_reason:
                            raise RunStopped(running.stop_reason)
                        await busy.pause()
        except BadRequest as error:
            await self._log_failure(error)
            param = error.param and self._client.body.sent_path(self._generation.field_of(error.param))
            raise to_api_error(error, param=param) from error
        except (Exception, GeneratorExit, asyncio.CancelledError) as error:
            await self._log_failure(error)
            raise
        completed_at = await self._log_end(200)
        # Models of other plugins need not say why they stopped.
        reason = finish_reason(self._response) or ("tool_calls" if self._response._tool_calls else "stop")
        notes = client_notes(self._response.response_json)
        yield Finished(reason, _usage(self._response), completed_at, notes)

    @property
    def is_queued(self) -> bool:
        return self.queue_ms is None

    def progress(self) -> Progress:
        "Return what the model is writing at the moment."
        machine = self._model.machine if isinstance(self._model, AsyncGptOss) else None
        if machine and (progress := machine.progress()).message:
            return progress
        # Between two messages, and after the last one.
        shown = progress_of_events(events_so_far(self._response))
        return replace(shown, tokens=machine.usage.completion_tokens) if machine else shown

    def _start_run(self) -> ActiveRun:
        running = self._runs.start(
            self,
            id=self._turn_id,
            actor=self._record.actor,
            client=self._record.client,
            generation=self._generation,
            logged=self._writer is not None,
        )
        running.begin_reading()
        return running

    def _prompt(self, messages: Sequence[Message]) -> llm.AsyncResponse:
        generation = self._generation
        response = self._model.prompt(
            messages=list(messages),
            tools=list(generation.tools),
            schema=dict(generation.schema) if generation.schema else None,
            stream=generation.stream,
            options=dict(generation.options),
        )
        response.id = self._turn_id
        # llm sets both when it starts the model, but the turn may end before that.
        set_start_time(response)
        return response

    async def _log_failure(self, error: BaseException) -> None:
        self.failed = True
        if not isinstance(error, Exception):
            status, reason = (503, STOPPED) if self._stop.is_cut else (CLIENT_LEFT, self.cancel_reason)
            await self._log_end(status, reason, reason)
            return
        api_error = to_api_error(error)
        await self._log_end(api_error.status, api_error.message, str(error) or type(error).__name__)

    async def _log_end(self, status: int, message: str | None = None, error: str | None = None) -> int:
        """Log the turn, and return the end time that the log will have, in seconds since 1970.

        `message` is the error as the client gets it, `error` as the model raised it. The turn is handed to
        the log before anything is awaited, so it is logged even if this task is cancelled.
        """
        turn = partial_response(self._response)
        if self._running:
            rate = (turn.token_details or {}).get("tokens_per_second")
            self._runs.end(self._running, status, message, rate)
            # It refers to this run, which would keep the request's body until the garbage collector runs.
            self._running = None
        completed_at = end_time(turn.datetime_utc(), turn.duration_ms())
        if error:
            turn.response_json = {**(turn.response_json or {}), "error": error}
        record = replace(
            self._record,
            status=status,
            error=message,
            finish_reason=finish_reason(self._response),
            queue_ms=self.queue_ms,
            first_token_ms=self.first_token_ms,
            custom_calls=[*self._record.custom_calls, *self._custom_calls()],
            pieces=self._pieces.lengths or None,
        )
        logged = Turn(turn, record)
        self._counters.turn_ended(logged)
        if self._writer is None:
            return completed_at
        headers = self._client.request.headers
        if self._turn_logging.writer_for(headers, stored=self._generation.store) is None:
            self._writer.forget(logged)
            return completed_at
        await asyncio.shield(self._report(logged, self._writer.record(logged)))
        return completed_at

    def _custom_calls(self) -> list[CustomCall]:
        "The calls in the answer whose tool takes free text."
        custom_tools = self._generation.custom_tools
        if not custom_tools:
            return []
        return [
            CustomCall(call.tool_call_id, call.name)
            for call in tool_calls(messages_so_far(self._response))
            if call.name in custom_tools and call.tool_call_id
        ]

    async def _report(self, turn: Turn, recorded: Future[None]) -> None:
        "Call the hook `turn_logged` of the plugins once the turn is logged."
        await asyncio.wrap_future(recorded)
        await self._plugins.turn_logged(turn.id, self._generation, turn.request.status, turn.request.error)


def _milliseconds_since(started: float) -> int:
    return round((time.perf_counter() - started) * 1000)


def _usage(response: llm.AsyncResponse) -> TokenUsage:
    details = response.token_details or {}
    return TokenUsage(
        response.input_tokens or 0, response.output_tokens or 0, details.get("reasoning_tokens", 0)
    )
