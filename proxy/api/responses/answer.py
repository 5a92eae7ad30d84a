"""One response while it is generated: the run of its model, and the writer of its events."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from llm.parts import Message, StreamEvent

from llm_gpt_oss.errors import GptOssError

from ...generation import Finished, GenerationRequest
from ...http.errors import ApiError, to_api_error
from ...inference.active_runs import RunStopped
from ...inference.client_request import ClientRequest
from ...inference.run import Run
from ...log.body_redaction import redacted
from ...log.idempotency import Attempt
from ...state import ProxyState
from .item_stream import Event
from .logged_responses import response_writer
from .request import ResponsesRequest
from .writer import ResponsesWriter

logger = logging.getLogger(__name__)

# Seconds in which an engine can still reject a request with an HTTP status. An engine that has its model
# loaded rejects a prompt that is too long within this time. After it, the stream begins.
REJECTION_SECONDS = 0.25

ModelEvents = AsyncGenerator[StreamEvent | Finished, None]


@dataclass(frozen=True, slots=True)
class Started:
    run: Run
    writer: ResponsesWriter


class ResponseRun:
    """Generates one response. Read either `events` or `response`, once.

    `generation` is entered when the response begins and left when it has ended. `begun` is set when the turn
    is recorded in the log as in progress, and the request has a place in the queue.
    """

    def __init__(
        self,
        state: ProxyState,
        client: ClientRequest[ResponsesRequest],
        attempt: Attempt,
        generation: AbstractAsyncContextManager[GenerationRequest],
    ) -> None:
        self._state = state
        self._client = client
        self._attempt = attempt
        self._generation = generation
        self._started: Started | None = None
        self.begun = asyncio.Event()

    @property
    def turn_id(self) -> str:
        return self._attempt.answer_id

    @property
    def conversation(self) -> list[Message]:
        "The messages that the next response would continue, with the answer so far."
        return self._started.run.conversation if self._started else []

    @property
    def _failed(self) -> bool:
        return bool(self._started and self._started.run.failed)

    @property
    def _refused(self) -> bool:
        return bool(self._started and self._started.run.refused)

    async def response(self) -> dict[str, Any]:
        "Return the complete response. Raises any error of the request or the model."
        async with self._start() as (writer, model_events):
            *_, last = writer.begin()
            async for model_event in model_events:
                *_, last = last, *writer.feed(model_event)
        response: dict[str, Any] = last["response"]
        return response

    async def events(self, *, may_reject: bool = True) -> AsyncGenerator[Event, None]:
        """Yield the events of the response.

        Raises errors in the request, an error if the queue is full, and errors of the model in the first
        `REJECTION_SECONDS` if the stream `may_reject` the request. Later errors become the last event.
        """
        async with self._start() as (writer, model_events):
            first = asyncio.ensure_future(anext(model_events))
            try:
                # Whether the queue is full is known at once.
                await asyncio.wait({first}, timeout=REJECTION_SECONDS if may_reject else 0)
                # An error is raised here as soon as its turn is logged, which can take longer.
                if (may_reject and (first.done() or self._failed)) or self._refused:
                    await first
                self.begun.set()
                for event in writer.begin():
                    yield event
                try:
                    for event in writer.feed(await first):
                        yield event
                    async for model_event in model_events:
                        for event in writer.feed(model_event):
                            yield event
                except RunStopped:
                    for event in writer.cancelled():
                        yield event
                except Exception as error:
                    if not isinstance(error, ApiError | GptOssError):
                        logger.error("A response broke off", exc_info=error)
                    for event in writer.failed(to_api_error(error)):
                        yield event
            finally:
                first.cancel()
                await asyncio.wait({first})

    def set_cancel_reason(self, reason: str) -> None:
        "Set the reason that is logged if the response is cancelled from now on."
        if self._started:
            self._started.run.cancel_reason = reason

    def cancelled_events(self) -> list[Event]:
        "Return the last events of a response that was cancelled, for clients that still follow it."
        return list(self._started.writer.cancelled()) if self._started else []

    @asynccontextmanager
    async def _start(self) -> AsyncIterator[tuple[ResponsesWriter, ModelEvents]]:
        async with self._generation as generation:
            run = await self._state.start_run(generation, self._client, self._attempt)
            fields = self._client.body.json
            writer = response_writer(
                # Without the input, which may be long: a response does not repeat it.
                redacted({name: value for name, value in fields.items() if name != "input"}),
                self.turn_id,
                generation.model,
                generation.custom_tools,
                self._state.settings,
            )
            self._started = Started(run, writer)
            async with aclosing(run.events()) as model_events:
                yield writer, model_events
