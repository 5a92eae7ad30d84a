"""llm's events to those of the Responses API; the whole answer is the `response` of the last of them.

Order and keys as in OpenAI's SDK, `types/responses/response_stream_event.py`, and as its
`lib/streaming/responses` insists on.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from typing import Any

from llm.parts import StreamEvent

from llm_gpt_oss.turn.messages import SEPARATOR

from ...generation import Finished
from ...http.errors import ApiError
from ...items.output import Item, Status
from ...settings import ReasoningDisplay
from . import response_object as whole
from .item_stream import Event, ItemBuilder, MessageBuilder, ReasoningBuilder, ToolCallBuilder


class ResponsesWriter:
    """A `flow.Translator` from `StreamEvent` and `Finished` to events. `begin` comes first; where no
    `Finished` comes, `failed` or `cancelled` come last.

    `response` is the response as it begins (`object.base`), `turn_id` is what its items are called after.
    `custom` names the tools whose one argument is free text. `reasoning` and `open_responses` say how the
    chain of thought is shown, `sealed` whether it also comes as `encrypted_content`.

    What is fed makes the same events whenever it is fed: nothing else has a part in them.
    """

    def __init__(
        self,
        response: dict[str, Any],
        turn_id: str,
        *,
        custom_tools: Container[str] = (),
        reasoning: ReasoningDisplay = "text",
        include_encrypted: bool = False,
        open_responses: bool = False,
    ) -> None:
        self._response = response
        self._turn_id = turn_id
        self._custom = custom_tools
        self._reasoning = reasoning
        self._sealed = include_encrypted
        self._open_responses = open_responses
        self._count = 0
        self._output: list[Item] = []
        self._open: ItemBuilder | None = None
        self._calls: list[str | None] = []

    def begin(self) -> Iterator[Event]:
        return map(self._numbered, self._begun())

    def feed(self, event: StreamEvent | Finished, /) -> Iterator[Event]:
        return map(self._numbered, self._told(event))

    def finish(self) -> Iterator[Event]:
        return iter(())

    def failed(self, error: ApiError) -> Iterator[Event]:
        return map(self._numbered, self._failed(error))

    def cancelled(self) -> Iterator[Event]:
        return map(self._numbered, self._cancelled())

    def _numbered(self, event: Event) -> Event:
        event["sequence_number"] = self._count
        self._count += 1
        return event

    def _begun(self) -> Iterator[Event]:
        started = whole.as_in_progress(self._response)
        if self._response["background"]:
            waiting = whole.as_queued(self._response)
            yield _stage("created", waiting)
            yield _stage("queued", waiting)
        else:
            yield _stage("created", started)
        yield _stage("in_progress", started)

    def _told(self, event: StreamEvent | Finished) -> Iterator[Event]:
        match event:
            case Finished():
                yield from self._finished(event)
            case StreamEvent(type="text" | "reasoning", chunk=text, provider_metadata=metadata):
                if text and metadata != SEPARATOR:
                    yield from self._said(event)
            case StreamEvent(type="tool_call_name" | "tool_call_args", tool_call_id=call_id):
                if self._response["parallel_tool_calls"] or call_id == (self._calls or [call_id])[0]:
                    yield from self._said(event)
            case _:
                raise TypeError(f"no place in a response for {event!r}")

    def _said(self, event: StreamEvent) -> Iterator[Event]:
        item = self._open
        if item is None or not item.continues(event):
            yield from self._ended("completed")
            item = self._open = self._opened(event)
            yield self._item_event("added", item.item("in_progress"))
            yield from item.begin()
        yield from item.feed(event)

    def _opened(self, event: StreamEvent) -> ItemBuilder:
        index = len(self._output)
        match event.type:
            case "text":
                return MessageBuilder(event, self._turn_id, index)
            case "reasoning":
                return ReasoningBuilder(
                    event,
                    self._turn_id,
                    index,
                    shown=self._reasoning,
                    sealed=self._sealed,
                    open_responses=self._open_responses,
                )
            case "tool_call_name":
                self._calls.append(event.tool_call_id)
                return ToolCallBuilder(event, self._turn_id, index, custom=event.chunk in self._custom)
        raise TypeError(f"no call that these are the arguments of: {event!r}")

    def _ended(self, status: Status) -> Iterator[Event]:
        if self._open is None:
            return
        yield from self._open.end()
        item = self._open.item(status)
        yield self._item_event("done", item)
        self._output.append(item)
        self._open = None

    def _item_event(self, what: str, item: Item) -> Event:
        return {"type": f"response.output_item.{what}", "output_index": len(self._output), "item": item}

    def _finished(self, finished: Finished) -> Iterator[Event]:
        if finished.reason == "length":
            yield from self._ended("incomplete")
            cut = whole.as_incomplete(self._response, self._output, finished.usage, "max_output_tokens")
            yield _stage("incomplete", cut)
        else:
            yield from self._ended("completed")
            done = whole.as_completed(self._response, self._output, finished.usage, finished.completed_at)
            yield _stage("completed", done)

    def _failed(self, error: ApiError) -> Iterator[Event]:
        yield from self._ended("incomplete")
        yield _stage("failed", whole.as_failed(self._response, self._output, error))

    def _cancelled(self) -> Iterator[Event]:
        yield from self._ended("incomplete")
        # The SDK has no event of its own for it; the response's status tells.
        yield _stage("incomplete", whole.as_cancelled(self._response, self._output))


def _stage(name: str, response: dict[str, Any]) -> Event:
    return {"type": f"response.{name}", "response": response}
