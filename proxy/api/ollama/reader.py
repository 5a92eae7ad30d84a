"""A passed answer, read from its bytes on their way, and the turn that it comes to in the log."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

import llm
from llm.parts import Message, StreamEvent
from pydantic import BaseModel, ConfigDict, ValidationError

from llm_gpt_oss.completion import Json
from llm_gpt_oss.engines.http.ndjson import NdjsonReader
from llm_gpt_oss.errors import StreamCut
from llm_gpt_oss.llm_internals import set_times

from ...generation import GenerationRequest
from .request import ChatMessage


class Line(BaseModel):
    "A line of an answer to `chat` or `generate`, or the whole of one that is not streamed."

    model: str | None = None
    message: ChatMessage | None = None
    response: str | None = None
    thinking: str | None = None
    done: bool = False
    done_reason: str | None = None
    prompt_eval_count: int | None = None
    eval_count: int | None = None
    error: Any = None

    def events(self) -> Iterator[StreamEvent]:
        said = self.message or ChatMessage(content=self.response, thinking=self.thinking)
        if said.thinking:
            yield StreamEvent("reasoning", said.thinking)
        if said.content:
            yield StreamEvent("text", said.content)
        for call in said.tool_calls or ():
            yield StreamEvent("tool_call_name", call.function.name, tool_call_id=call.id)
            arguments = json.dumps(call.function.arguments, ensure_ascii=False)
            yield StreamEvent("tool_call_args", arguments, tool_call_id=call.id)


class ForwardedReader:
    """Hears an answer, however its bytes are cut. `clock` tells seconds.

    `error` is what went wrong in the answer, if anything did; `first_ms` when its first word came.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._started = clock()
        self._lines = NdjsonReader()
        self._events: list[StreamEvent] = []
        self._last = Line()
        self.finish_reason: str | None = None
        self.error: str | None = None
        self.first_ms: int | None = None

    def feed(self, data: bytes) -> None:
        self._hear(self._lines.feed(data))

    def finish(self) -> None:
        self._hear(self._lines.finish())
        if not self._last.done and not self.error:
            self.error = "The answer ended in the middle."

    def _hear(self, lines: Iterator[Json]) -> None:
        if self.error:
            return
        try:
            for data in lines:
                self._take(Line.model_validate(data))
        except (StreamCut, ValidationError, RecursionError) as problem:
            self.error = f"The answer could not be read: {problem}"

    def _take(self, line: Line) -> None:
        self._last = line
        events = [*line.events()]
        if events and self.first_ms is None:
            self.first_ms = round(self._seconds() * 1000)
        self._events += events
        if self._events and self._events[-1].type == "tool_call_args":
            self.finish_reason = "tool_calls"
        elif line.done:
            self.finish_reason = line.done_reason
        if line.error is not None:
            self.error = str(line.error)

    def _seconds(self) -> float:
        return self._clock() - self._started

    def response(self, ask: GenerationRequest, messages: Sequence[Message]) -> llm.Response:
        "What was heard so far, as the answer to `messages`, which are the ask's or more."
        response = _Heard(ask.model, self._events).prompt(
            messages=list(messages),
            tools=list(ask.tools),
            schema=dict(ask.schema) if ask.schema else None,
            stream=ask.stream,
            options=dict(ask.options),
        )
        list(response.stream_events())  # type: ignore[no-untyped-call]
        seconds = self._seconds()
        set_times(response, datetime.now(timezone.utc) - timedelta(seconds=seconds), seconds)
        response.set_usage(input=self._last.prompt_eval_count, output=self._last.eval_count)
        if self._last.model:
            response.set_resolved_model(self._last.model)
        response.response_json = {"outcome": {"finish_reason": self.finish_reason, "notes": []}}
        return response


class _AnyOptions(llm.Options):
    model_config = ConfigDict(extra="allow")


class _Heard(llm.Model):
    "A model that has said already what it says."

    Options = _AnyOptions  # type: ignore[assignment]
    can_stream = True
    supports_schema = True
    supports_tools = True

    def __init__(self, model_id: str, events: Sequence[StreamEvent]) -> None:
        self.model_id = model_id
        self._events = events

    def execute(
        self,
        prompt: llm.Prompt,
        stream: bool,
        response: llm.Response,
        conversation: llm.Conversation | None,
    ) -> Iterator[StreamEvent]:
        yield from self._events
