"""One model call under way: queue, start, stream, log."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from concurrent.futures import Future
from contextlib import aclosing
from dataclasses import replace

import llm
from fastapi import Request as Http
from llm.parts import Message, StreamEvent

from llm_gpt_oss.errors import ContextOverflow, GptOssError
from llm_gpt_oss.llm_internals import messages_so_far, partial_response, set_start_time

from ..generation import Finished, GenerationRequest, TokenUsage
from ..hookspecs import Plugins
from ..http.errors import ApiError, to_api_error
from ..log.fingerprint import tool_calls
from ..log.idempotency import Attempt
from ..log.ids import end_time
from ..log.replay import PieceLengths
from ..log.turn import RequestRecord, Turn
from ..log.writer import LogWriter
from .finish_reason import finish_reason
from .model_names import AnyModel
from .queue import Queue

logger = logging.getLogger(__name__)

# What a client that leaves is logged with; nginx's code, since HTTP has none.
CLIENT_LEFT = 499


class Run:
    """`events` may be read once. The turn is in the log before `Finished` comes, and before an error leaves;
    it is logged once, wherever it breaks off, from the moment that it has a model. `attempt` and `choice` say
    which turn it is: choice `choice` of an answer.

    `begin` may be awaited before, once: it raises what can be told without asking the model, and from then on
    the turn has its place in the log. `cancelled` says why, where the run ends because nobody waits for it.

    `chosen` finds the model, and adds what its name says to the Ask; it raises ApiError for an unknown one.
    `log_of` tells where a turn goes, or None: asked anew when it is over, since that may change meanwhile.
    """

    def __init__(
        self,
        ask: GenerationRequest,
        http: Http,
        attempt: Attempt,
        choice: int = 0,
        *,
        chosen: Callable[[GenerationRequest], tuple[GenerationRequest, AnyModel]],
        queue: Queue,
        log_of: Callable[[GenerationRequest], LogWriter | None],
        plugins: Plugins,
    ) -> None:
        self._ask = ask
        self._http = http
        self._attempt = attempt
        self._id = attempt.ids[choice]
        # From the end, where what a plugin or the log puts in front makes no difference.
        self._sent = [len(ask.messages) - message for message in ask.message_of_entry]
        self._pieces = PieceLengths()
        self._chosen = chosen
        self._queue = queue
        self._log_of = log_of
        self._plugins = plugins
        self._begun = False
        self.cancelled = "The client left."

    async def begin(self) -> None:
        self._begun = True
        self._started = time.perf_counter()
        await self._choose()
        self._request = await self._asked()
        self._response = self._prompted(self._ask.messages)
        self._store = self._log_of(self._ask)
        if self._store is None:
            return
        try:
            messages = await self._store.begin(Turn(partial_response(self._response), self._request))
        except asyncio.CancelledError as error:
            await self._broke_off(error)
            raise
        self._response = self._prompted(messages)

    @property
    def is_logged(self) -> bool:
        return self._store is not None

    @property
    def conversation(self) -> list[Message]:
        "What the next request of this client would go on from, as far as it has come."
        turn = partial_response(self._response)
        return [*turn.prompt.messages[self._ask.added :], *turn.messages()]

    async def events(self) -> AsyncGenerator[StreamEvent | Finished, None]:
        if not self._begun:
            await self.begin()
        try:
            waiting = time.perf_counter()
            async with self._queue.slot():
                self._request = replace(self._request, queue_ms=_since(waiting))
                async with aclosing(self._response.astream_events()) as events:  # type: ignore[no-untyped-call]
                    async for event in events:
                        if self._request.first_token_ms is None:
                            self._request = replace(self._request, first_token_ms=_since(self._started))
                        if self._ask.replayable:
                            self._pieces.feed(event)
                        yield event
        except (Exception, GeneratorExit, asyncio.CancelledError) as error:
            await self._broke_off(error)
            raise
        completed_at = await self._ended(200)
        # Not all models that are none of ours tell it.
        reason = finish_reason(self._response) or (
            "tool_calls" if self._response.tool_calls_or_raise() else "stop"
        )
        yield Finished(reason, _usage(self._response), completed_at)

    async def _choose(self) -> None:
        try:
            self._ask, self._model = self._chosen(await self._plugins.prepare_request(self._ask, self._http))
        except (ApiError, GptOssError) as error:
            # No turn without a model, so this is all that stays of it. Quoted, since clients write into it.
            logger.warning("%s was refused and is not in the log: %r", self._ask.endpoint, str(error))
            raise

    async def _asked(self) -> RequestRecord:
        body: bytes = self._http.state.body
        return RequestRecord(
            self._ask.endpoint,
            body.decode(),
            await self._plugins.actor_of(self._http),
            self._http.headers.get("user-agent"),
            self._ask.store,
            self._ask.metadata,
            model=self._ask.model,
            answer_id=self._attempt.answer_id,
            idempotency_key=self._attempt.key,
            added=self._ask.added,
            known=self._ask.known,
            continues=self._ask.continues,
            sent=self._sent,
            custom_calls=sorted(self._ask.custom_call_ids),
        )

    def _prompted(self, messages: Sequence[Message]) -> llm.AsyncResponse:
        response = self._model.prompt(
            messages=list(messages),
            tools=list(self._ask.tools),
            schema=dict(self._ask.schema) if self._ask.schema else None,
            stream=self._ask.stream,
            options=dict(self._ask.options),
        )
        response.id = self._id
        # Set again when the model is asked, but a turn may end before that.
        set_start_time(response)
        return response

    async def _broke_off(self, error: BaseException) -> None:
        if not isinstance(error, Exception):
            await self._ended(CLIENT_LEFT, self.cancelled, self.cancelled)
            return
        if isinstance(error, ContextOverflow):
            error.param = self._ask.input_field
        told = to_api_error(error)
        await self._ended(told.status, told.message, str(error) or type(error).__name__)

    async def _ended(self, status: int, told: str | None = None, error: str | None = None) -> int:
        """Handed over before anything is waited for: from there on it is logged, even if we are cancelled.

        `told` is the error as the client hears it. Returns when the turn was complete, as the log will tell
        it, in seconds since 1970."""
        turn = partial_response(self._response)
        completed_at = end_time(turn.datetime_utc(), turn.duration_ms())
        if self._store is None:
            return completed_at
        if error:
            turn.response_json = {**(turn.response_json or {}), "error": error}
        request = replace(
            self._request,
            status=status,
            error=told,
            finish_reason=finish_reason(self._response),
            custom_calls=[*self._request.custom_calls, *self._called_custom()],
            pieces=self._pieces.lengths or None,
        )
        logged = Turn(turn, request)
        if self._log_of(self._ask) is None:
            self._store.forget(logged)
            return completed_at
        await asyncio.shield(self._told(logged, self._store.record(logged)))
        return completed_at

    def _called_custom(self) -> list[str]:
        made = (each for message in messages_so_far(self._response) for each in tool_calls([message]))
        return [
            call.tool_call_id for call in made if call.name in self._ask.custom_tools and call.tool_call_id
        ]

    async def _told(self, turn: Turn, recorded: Future[None]) -> None:
        await asyncio.wrap_future(recorded)
        await self._plugins.turn_logged(turn.id, self._ask, turn.request.status, turn.request.error)


def _since(started: float) -> int:
    return round((time.perf_counter() - started) * 1000)


def _usage(response: llm.AsyncResponse) -> TokenUsage:
    details = response.token_details or {}
    return TokenUsage(
        response.input_tokens or 0, response.output_tokens or 0, details.get("reasoning_tokens", 0)
    )
