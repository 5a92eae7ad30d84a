"""One response while it is made: the run of a model call, and the writer that tells of it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from typing import Any

from fastapi import Request
from llm.parts import Message, StreamEvent

from llm_gpt_oss.errors import GptOssError

from ...generation import Finished, GenerationRequest
from ...http.errors import ApiError, to_api_error
from ...log.idempotency import Attempt
from ...log.turn import without_secrets
from ...state import ProxyState
from .item_stream import Event
from .queries import response_writer

logger = logging.getLogger(__name__)

# Seconds in which a request that cannot be answered is still refused with an HTTP status: an engine that has
# its model loaded says at once that a prompt is too long. Then the stream begins, whatever comes.
REFUSED_AT_ONCE = 0.25

Said = AsyncGenerator[StreamEvent | Finished, None]


class ResponseRun:
    """Either `events` or `whole` is asked for, once. `asked` gives what the model is asked, and may hold
    something until the answer is over.

    `begun` is set when the turn has its place in the log.
    """

    def __init__(
        self,
        server: ProxyState,
        http: Request,
        attempt: Attempt,
        asked: AbstractAsyncContextManager[GenerationRequest],
    ) -> None:
        self._server = server
        self._http = http
        self._attempt = attempt
        self._asked = asked
        self.begun = asyncio.Event()

    @property
    def turn_id(self) -> str:
        return self._attempt.answer_id

    @property
    def conversation(self) -> list[Message]:
        "With the answer, as far as it came."
        return self._run.conversation

    async def whole(self) -> dict[str, Any]:
        "Raises what went wrong."
        async with self._begun() as said:
            *_, last = self._writer.begin()
            async for event in said:
                *_, last = last, *self._writer.feed(event)
        response: dict[str, Any] = last["response"]
        return response

    async def events(self, refused_within: float = REFUSED_AT_ONCE) -> AsyncGenerator[Event, None]:
        """Raises what is wrong with the request. After `refused_within` seconds with the model it begins, and
        what goes wrong from then on is told by its last event."""
        async with self._begun() as said:
            first = asyncio.ensure_future(anext(said))
            try:
                if refused_within:
                    await asyncio.wait({first}, timeout=refused_within)
                    if first.done():
                        first.result()
                async with aclosing(self._told(first, said)) as events:
                    async for event in events:
                        yield event
            finally:
                first.cancel()
                await asyncio.wait({first})

    def cancelled(self, why: str) -> None:
        "Is about to be: the log will say why."
        if self.begun.is_set():
            self._run.cancelled = why

    def end(self) -> list[Event]:
        "The last events, for whoever cancelled the answer and is still told of it."
        return list(self._writer.cancelled()) if self.begun.is_set() else []

    @asynccontextmanager
    async def _begun(self) -> AsyncIterator[Said]:
        async with self._asked as ask:
            self._run = self._server.run(ask, self._http, self._attempt)
            await self._run.begin()
            body = without_secrets(self._http.state.body.decode())
            self._writer = response_writer(
                body, self.turn_id, ask.model, ask.custom_tools, self._server.settings
            )
            self.begun.set()
            async with aclosing(self._run.events()) as said:
                yield said

    async def _told(
        self, first: asyncio.Future[StreamEvent | Finished], said: Said
    ) -> AsyncGenerator[Event, None]:
        for event in self._writer.begin():
            yield event
        try:
            for event in self._writer.feed(await first):
                yield event
            async for each in said:
                for event in self._writer.feed(each):
                    yield event
        except Exception as error:
            if not isinstance(error, ApiError | GptOssError):
                logger.error("A response broke off", exc_info=error)
            for event in self._writer.failed(to_api_error(error)):
                yield event
