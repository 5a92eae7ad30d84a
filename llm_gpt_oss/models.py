"""The models that llm sees: a sync and an async body over the same plan."""

from __future__ import annotations

import datetime
import secrets
import time
from asyncio import CancelledError
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator
from contextlib import aclosing, asynccontextmanager, closing, contextmanager
from typing import Any, ClassVar

import llm
from llm.parts import StreamEvent

from .catalog.binding import BoundModel
from .catalog.models_file import UNBOUND, EngineBinding
from .completion import AsyncEngine, Engine
from .errors import BadRequest, GptOssError
from .llm_internals import ModelBase
from .options import GptOssOptions
from .settings import Settings
from .terminal_output import end_line, log_interrupted, print_label, print_notes
from .turn.events import EventWriter
from .turn.machine import TurnMachine
from .turn.request import turn_request
from .turn.run import arun_turn, run_turn


class GptOssBase(ModelBase):
    """What both have in common.

    `model_id` is the engine's tag. `engine` is for a program that keeps one open; without it each prompt
    opens and closes its own, of the kind that `settings` and `place` name.
    """

    can_stream = True
    supports_schema = True
    supports_tools = True
    Options = GptOssOptions  # type: ignore[assignment]  # as each plugin's do
    # What llm's log may leave out of a turn's `response_json`. Append only, for ever: past turns are read
    # with it. Empty so far: the usual outcome takes 40 bytes, and left out it would be hidden from SQL.
    json_replacements: ClassVar[dict[str, Any]] = {}
    _engine: object = None

    def __init__(self, model_id: str, settings: Settings, place: EngineBinding) -> None:
        self.model_id = model_id
        self.settings = settings
        self.bound_model = BoundModel(model_id, settings, place)

    def __str__(self) -> str:
        return f"{type(self).__name__} on {self.bound_model.engine}: {self.model_id}"

    def get_key(self, explicit_key: str | None = None) -> str | None:
        "Sent where there is one: Ollama on this machine needs none, and an engine that is open has its own."
        return None if self._engine else self.bound_model.api_key(explicit_key)

    def validate_attachments(self, attachments: list[llm.Attachment]) -> None:
        if attachments:
            raise BadRequest(
                "gpt-oss reads text only: it cannot take an attachment.",
                param="attachments",
                remedy="Leave out -a, or pass a text file's content with -f FILE.",
            )

    def start_turn(
        self, prompt: llm.Prompt, *, stream: bool, date: str | None = None
    ) -> tuple[TurnMachine, EventWriter]:
        """How this prompt will be asked. The day that the model is told is the one that the settings fix,
        else `date` (YYYY-MM-DD), else today.

        Raises BadRequest for what cannot be had.
        """
        day = self.settings.date or date or datetime.date.today().isoformat()
        wanted, names = turn_request(prompt, self.model_id, stream=stream, date=day)
        plan = TurnMachine(wanted)
        return plan, EventWriter(plan, names, _new_id, _milliseconds)


class GptOss(GptOssBase, llm.KeyModel):
    "gpt-oss for `llm.get_model`."

    def __init__(
        self,
        model_id: str,
        settings: Settings,
        engine: Engine | None = None,
        *,
        place: EngineBinding = UNBOUND,
    ) -> None:
        super().__init__(model_id, settings, place)
        self._engine: Engine | None = engine

    def execute(
        self,
        prompt: llm.Prompt,
        stream: bool,
        response: llm.Response,
        conversation: llm.Conversation | None,
        key: str | None = None,
    ) -> Generator[StreamEvent, None, None]:
        plan, writer = self.start_turn(prompt, stream=stream)
        print_label(self.bound_model.engine_options.get("label"), response)
        with (
            _recorded(plan, writer, response),
            self._opened(key) as engine,
            closing(run_turn(plan, engine)) as said,
        ):
            for item in said:
                yield from writer.feed(item)

    @contextmanager
    def _opened(self, key: str | None) -> Iterator[Engine]:
        if self._engine:
            yield self._engine
            return
        from .engines.registered import get_provider

        with get_provider(self.bound_model.engine).open(self.bound_model, key) as engine:
            yield engine


class AsyncGptOss(GptOssBase, llm.AsyncKeyModel):
    "gpt-oss for `llm.get_async_model`."

    def __init__(
        self,
        model_id: str,
        settings: Settings,
        engine: AsyncEngine | None = None,
        *,
        place: EngineBinding = UNBOUND,
    ) -> None:
        super().__init__(model_id, settings, place)
        self._engine: AsyncEngine | None = engine

    async def execute(
        self,
        prompt: llm.Prompt,
        stream: bool,
        response: llm.AsyncResponse,
        conversation: llm.AsyncConversation | None,
        key: str | None = None,
    ) -> AsyncGenerator[StreamEvent, None]:
        plan, writer = self.start_turn(prompt, stream=stream)
        print_label(self.bound_model.engine_options.get("label"), response)
        with _recorded(plan, writer, response):
            async with self._opened(key) as engine, aclosing(arun_turn(plan, engine)) as said:
                async for item in said:
                    for event in writer.feed(item):
                        yield event

    @asynccontextmanager
    async def _opened(self, key: str | None) -> AsyncIterator[AsyncEngine]:
        if self._engine:
            yield self._engine
            return
        from .engines.registered import get_provider

        async with get_provider(self.bound_model.engine).aopen(self.bound_model, key) as engine:
            yield engine


@contextmanager
def _recorded(
    plan: TurnMachine, writer: EventWriter, response: llm.Response | llm.AsyncResponse
) -> Iterator[None]:
    "However the turn ends, `response` says how; at the shell it is logged too where llm itself would not."
    try:
        yield
    except BaseException as error:
        writer.record(response)
        if isinstance(error, GptOssError | KeyboardInterrupt | CancelledError | GeneratorExit):
            log_interrupted(response, error)
        if isinstance(error, GptOssError):
            end_line(response)
        raise
    writer.record(response)
    print_notes(plan.notes, streamed=response.stream)


def _new_id() -> str:
    return f"call_{secrets.token_hex(12)}"


def _milliseconds() -> float:
    return time.perf_counter() * 1000
