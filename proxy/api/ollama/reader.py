"""Reads a forwarded answer from its bytes, and makes the turn for the log from it."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta, timezone

import llm
from llm.parts import Message, StreamEvent
from pydantic import BaseModel, ValidationError

from llm_gpt_oss.completion import Json
from llm_gpt_oss.engines.http.ndjson import NdjsonReader
from llm_gpt_oss.errors import GptOssError
from llm_gpt_oss.llm_internals import set_times
from llm_gpt_oss.log.past_model import PastModel

from ...generation import GenerationRequest
from .request import ChatMessage


class Line(BaseModel):
    "A line of a streamed answer to `chat` or `generate`, or a complete answer that is not streamed."

    model: str | None = None
    message: ChatMessage | None = None
    response: str | None = None
    thinking: str | None = None
    done: bool = False
    done_reason: str | None = None
    prompt_eval_count: int | None = None
    eval_count: int | None = None

    def events(self) -> Iterator[StreamEvent]:
        message = self.message or ChatMessage(content=self.response, thinking=self.thinking)
        if message.thinking:
            yield StreamEvent("reasoning", message.thinking)
        if message.content:
            yield StreamEvent("text", message.content)
        for call in message.tool_calls or ():
            yield StreamEvent("tool_call_name", call.function.name, tool_call_id=call.id)
            arguments = json.dumps(call.function.arguments, ensure_ascii=False)
            yield StreamEvent("tool_call_args", arguments, tool_call_id=call.id)


class ForwardedReader(ABC):
    """Reads an answer from bytes that may be split anywhere. `clock` returns seconds.

    `feed` and `finish` work in steps, and yield after each. One line may take a hundred thousand, so an async
    caller should pause now and then. `size` is the number of bytes so far, `error` the error in the answer,
    if there is one, and `first_ms` the time until its first text or call.
    """

    finish_reason: str | None = None

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._started = clock()
        self._lines = NdjsonReader()
        self._done = False
        self.size = 0
        self.events: list[StreamEvent] = []
        self.error: str | None = None
        self.first_ms: int | None = None

    def feed(self, data: bytes) -> Iterator[None]:
        self.size += len(data)
        yield from self._read(self._lines.feed(data))

    def finish(self) -> Iterator[None]:
        yield from self._read(self._lines.finish())
        self._add(self._finish())
        if not self._done and not self.error:
            self.error = "The answer ended in the middle."

    @abstractmethod
    def _translate(self, data: Json) -> Iterable[Iterable[StreamEvent]]:
        "Return a line's events, step by step. Raises ValidationError or GptOssError for an unexpected form."

    def _finish(self) -> Iterable[StreamEvent]:
        "Return the events that only the end of the answer makes complete."
        return ()

    @abstractmethod
    def _record(self, response: llm.Response) -> None:
        "Set the usage and the outcome of the response."

    def _read(self, lines: Iterator[Json]) -> Iterator[None]:
        if self.error:
            return
        try:
            for data in lines:
                self._done = data.get("done") is True
                for events in self._translate(data):
                    self._add(events)
                    yield
                if data.get("error") is not None:
                    self.error = str(data["error"])
        except (GptOssError, ValidationError, RecursionError) as error:
            self.error = f"The answer could not be read: {error}"

    def _add(self, events: Iterable[StreamEvent]) -> None:
        for event in events:
            if self.first_ms is None:
                self.first_ms = round(self._seconds() * 1000)
            self.events.append(event)

    def _seconds(self) -> float:
        return self._clock() - self._started

    def response(self, request: GenerationRequest, messages: Sequence[Message]) -> llm.Response:
        "The answer so far as llm's response to `messages`: the request's, or more if the log has more."
        response = _ReplayModel(request.model, self.events).prompt(
            messages=list(messages),
            tools=list(request.tools),
            schema=dict(request.schema) if request.schema else None,
            stream=request.stream,
            options=dict(request.options),
        )
        list(response.stream_events())  # type: ignore[no-untyped-call]
        seconds = self._seconds()
        set_times(response, datetime.now(timezone.utc) - timedelta(seconds=seconds), seconds)
        self._record(response)
        return response


class ChatReader(ForwardedReader):
    "Reads an answer of which Ollama has parsed the text."

    def __init__(self, clock: Callable[[], float]) -> None:
        super().__init__(clock)
        self._last = Line()

    def _translate(self, data: Json) -> Iterator[Iterable[StreamEvent]]:
        self._last = Line.model_validate(data)
        yield self._last.events()

    @property
    def finish_reason(self) -> str | None:  # type: ignore[override]
        if self.events and self.events[-1].type == "tool_call_args":
            return "tool_calls"
        return self._last.done_reason if self._last.done else None

    def _record(self, response: llm.Response) -> None:
        response.set_usage(input=self._last.prompt_eval_count, output=self._last.eval_count)
        if self._last.model:
            response.set_resolved_model(self._last.model)
        response.response_json = {"outcome": {"finish_reason": self.finish_reason, "notes": []}}


class _ReplayModel(PastModel):
    "A model whose answer consists of the given events."

    def __init__(self, model_id: str, events: Sequence[StreamEvent]) -> None:
        super().__init__(model_id)
        self._events = events

    def execute(
        self,
        prompt: llm.Prompt,
        stream: bool,
        response: llm.Response,
        conversation: llm.Conversation | None,
    ) -> Iterator[StreamEvent]:
        yield from self._events
