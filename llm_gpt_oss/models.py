"""The models that llm sees: a sync and an async class that run the same turns.

Every `llm` command that lists models, or runs a model of another plugin, imports this module. So the module
imports only what it needs to register and list models. It imports options, and everything that runs a turn,
when they are used.
"""

from __future__ import annotations

import datetime
import secrets
import time
from asyncio import to_thread
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator
from contextlib import aclosing, asynccontextmanager, closing, contextmanager
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import llm
from llm.parts import StreamEvent

from .catalog.binding import BoundModel
from .catalog.models_file import UNBOUND, EngineBinding
from .errors import BadRequest, GptOssError
from .llm_internals import ModelBase
from .settings import Settings

if TYPE_CHECKING:
    from .completion import AsyncEngine, Engine
    from .options import GptOssOptions
    from .turn.events import EventWriter
    from .turn.machine import TurnMachine

T = TypeVar("T")


class _LazyOptions:
    "The class attribute `Options`, imported when it is read: pydantic takes long to build that class."

    def __get__(self, model: GptOssBase | None, owner: type[GptOssBase]) -> type[GptOssOptions]:
        from .options import GptOssOptions

        return GptOssOptions


class GptOssBase(ModelBase):
    """What the sync and the async model share.

    `model_id` is the engine's tag. A program that keeps an engine open passes it as `engine`. Without it,
    each prompt opens and closes the engine that `binding` or `settings` name.
    """

    can_stream = True
    supports_schema = True
    supports_tools = True
    Options = _LazyOptions()  # type: ignore[assignment]
    # What llm's log may leave out of a turn's `response_json`. Append only: llm reads past turns with it.
    # It is empty: the usual outcome takes 40 bytes, and SQL queries would not see it if it were left out.
    json_replacements: ClassVar[dict[str, Any]] = {}
    _engine: object = None

    def __init__(self, model_id: str, settings: Settings, binding: EngineBinding) -> None:
        self.model_id = model_id
        self.settings = settings
        self.bound_model = BoundModel(model_id, settings, binding)

    def __str__(self) -> str:
        return f"{type(self).__name__} on {self.bound_model.engine}: {self.model_id}"

    def get_key(self, explicit_key: str | None = None) -> str | None:
        """The API key for the engine, if it has one: Ollama on this machine needs none.

        An engine that was passed in has its key already.
        """
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
        """The turn of this prompt and the writer of its events, before anything is sent.

        The date in the prompt is that of the settings, else `date` (YYYY-MM-DD), else today's. Raises
        BadRequest for a prompt that cannot be sent.
        """
        from .turn.events import EventWriter
        from .turn.machine import TurnMachine
        from .turn.request import turn_request

        day = self.settings.date or date or datetime.date.today().isoformat()
        request, tool_names = turn_request(prompt, self.model_id, stream=stream, date=day)
        machine = TurnMachine(request)
        return machine, EventWriter(machine, tool_names, _new_call_id, _milliseconds)

    @contextmanager
    def _recording(
        self, machine: TurnMachine, writer: EventWriter, response: llm.Response | llm.AsyncResponse
    ) -> Iterator[None]:
        """Record in `response` how the turn went, however it ends.

        Under `llm prompt` and `llm chat`, also print the turn's notes, which llm itself does not, and have
        the turn logged if it is interrupted.
        """
        from .log.command import track
        from .terminal_output import end_line, print_label, print_notes

        print_label(self.bound_model.engine_options.get("label"), response)
        turn = track(response, lambda recorded: self._record(writer, recorded))
        try:
            yield
        except BaseException as error:
            turn.end(error)
            if isinstance(error, GptOssError):
                end_line(response)
            raise
        turn.end()
        print_notes(machine.notes, streamed=response.stream)

    def _record(self, writer: EventWriter, response: llm.Response | llm.AsyncResponse) -> None:
        writer.record(response)
        response.response_json = {**(response.response_json or {}), "engine": self.bound_model.engine}


class GptOss(GptOssBase, llm.KeyModel):
    "A gpt-oss model as `llm.get_model` returns it."

    def __init__(
        self,
        model_id: str,
        settings: Settings,
        engine: Engine | None = None,
        *,
        binding: EngineBinding = UNBOUND,
    ) -> None:
        super().__init__(model_id, settings, binding)
        self._engine: Engine | None = engine

    def execute(
        self,
        prompt: llm.Prompt,
        stream: bool,
        response: llm.Response,
        conversation: llm.Conversation | None,
        key: str | None = None,
    ) -> Generator[StreamEvent, None, None]:
        from .turn.run import run_turn

        machine, writer = self.start_turn(prompt, stream=stream)
        with (
            self._recording(machine, writer, response),
            self._open_engine(key) as engine,
            closing(run_turn(machine, engine)) as items,
        ):
            for item in items:
                yield from writer.feed(item)

    @contextmanager
    def _open_engine(self, key: str | None) -> Iterator[Engine]:
        if self._engine:
            yield self._engine
            return
        from .engines.providers import get_provider

        with get_provider(self.bound_model.engine).open(self.bound_model, key) as engine:
            yield engine


class AsyncGptOss(GptOssBase, llm.AsyncKeyModel):
    """A gpt-oss model as `llm.get_async_model` returns it.

    A server sets `off_loop` for a prompt that is so long that it should be made on a thread. It makes a model
    for each request, and `machine` is then the state of its turn, None before it begins.
    """

    machine: TurnMachine | None = None

    def __init__(
        self,
        model_id: str,
        settings: Settings,
        engine: AsyncEngine | None = None,
        *,
        binding: EngineBinding = UNBOUND,
        off_loop: bool = False,
    ) -> None:
        super().__init__(model_id, settings, binding)
        self._engine: AsyncEngine | None = engine
        self._off_loop = off_loop

    async def call(self, function: Callable[[], T]) -> T:
        "Call a function that reads a whole prompt."
        return await to_thread(function) if self._off_loop else function()

    async def execute(
        self,
        prompt: llm.Prompt,
        stream: bool,
        response: llm.AsyncResponse,
        conversation: llm.AsyncConversation | None,
        key: str | None = None,
    ) -> AsyncGenerator[StreamEvent, None]:
        from .turn.run import arun_turn

        machine, writer = await self.call(lambda: self.start_turn(prompt, stream=stream))
        self.machine = machine
        with self._recording(machine, writer, response):
            async with (
                self._open_engine(key) as engine,
                aclosing(arun_turn(machine, engine, self.call)) as items,
            ):
                async for item in items:
                    for event in writer.feed(item):
                        yield event

    @asynccontextmanager
    async def _open_engine(self, key: str | None) -> AsyncIterator[AsyncEngine]:
        if self._engine:
            yield self._engine
            return
        from .engines.providers import get_provider

        async with get_provider(self.bound_model.engine).aopen(self.bound_model, key) as engine:
            yield engine


def _new_call_id() -> str:
    return f"call_{secrets.token_hex(12)}"


def _milliseconds() -> float:
    return time.perf_counter() * 1000
