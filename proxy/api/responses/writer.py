"""Writes llm's events as events of the Responses API. The last event has the whole response.

Order and keys are those of OpenAI's SDK (`types/responses/response_stream_event.py`) and those that its
`lib/streaming/responses` requires.
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
from . import response_object
from .item_stream import Event, ItemBuilder, MessageBuilder, ReasoningBuilder, ToolCallBuilder


class ResponsesWriter:
    """A `Translator` from `StreamEvent` and `Finished` to events of the Responses API.

    Call `begin` first, and `failed` or `cancelled` last if no `Finished` comes. The events depend on nothing
    but the arguments and what is fed, so a logged turn gives the same events as the live one.

    `response` is the initial response (`response_object.new_response`). `turn_id` becomes part of the items'
    ids. `custom_tools` names the tools that take free text. `reasoning` and `open_responses` decide how
    reasoning is returned. `include_encrypted` adds it as `encrypted_content`.
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
        self._custom_tools = custom_tools
        self._reasoning: ReasoningDisplay = reasoning
        self._include_encrypted = include_encrypted
        self._open_responses = open_responses
        self._sequence_number = 0
        self._output: list[Item] = []
        self._open: ItemBuilder | None = None
        self._first_call: StreamEvent | None = None

    def begin(self) -> Iterator[Event]:
        in_progress = response_object.as_in_progress(self._response)
        if not self._response["background"]:
            return self._numbered([_stage("created", in_progress), _stage("in_progress", in_progress)])
        queued = response_object.as_queued(self._response)
        stages = [_stage("created", queued), _stage("queued", queued), _stage("in_progress", in_progress)]
        return self._numbered(stages)

    def feed(self, event: StreamEvent | Finished, /) -> Iterator[Event]:
        """Return the events for an event of llm. Raises TypeError for an event that a response cannot
        represent.
        """
        return self._numbered(self._finish(event) if isinstance(event, Finished) else self._translate(event))

    def finish(self) -> Iterator[Event]:
        return iter(())

    def failed(self, error: ApiError) -> Iterator[Event]:
        events = self._close("incomplete")
        failed = response_object.as_failed(self._response, self._output, error)
        return self._numbered([*events, _stage("failed", failed)])

    def cancelled(self) -> Iterator[Event]:
        events = self._close("incomplete")
        cancelled = response_object.as_cancelled(self._response, self._output)
        # The SDK has no event for a cancelled response. The response's status shows it.
        return self._numbered([*events, _stage("incomplete", cancelled)])

    def _numbered(self, events: list[Event]) -> Iterator[Event]:
        for event in events:
            event["sequence_number"] = self._sequence_number
            self._sequence_number += 1
        return iter(events)

    def _translate(self, event: StreamEvent) -> list[Event]:
        match event.type:
            case "text" | "reasoning":
                has_text = event.chunk and event.provider_metadata != SEPARATOR
                return self._item_events(event) if has_text else []
            case "tool_call_name" | "tool_call_args":
                return self._item_events(event) if self._may_call(event) else []
        raise TypeError(f"no item of a response can hold {event!r}")

    def _may_call(self, event: StreamEvent) -> bool:
        "Whether the event's call is returned: without `parallel_tool_calls` only the first one is."
        if self._first_call is None and event.type == "tool_call_name":
            self._first_call = event
        first = self._first_call
        is_first = first is None or event.tool_call_id == first.tool_call_id
        return is_first or bool(self._response["parallel_tool_calls"])

    def _item_events(self, event: StreamEvent) -> list[Event]:
        if self._open is not None and self._open.continues(event):
            return self._open.feed(event)
        item = self._new_item(event)
        events = self._close("completed")
        self._open = item
        return [
            *events,
            self._item_event("added", item.item("in_progress")),
            *item.begin(),
            *item.feed(event),
        ]

    def _new_item(self, event: StreamEvent) -> ItemBuilder:
        index = len(self._output) + (0 if self._open is None else 1)
        match event.type:
            case "text":
                return MessageBuilder(event, self._turn_id, index)
            case "reasoning":
                return ReasoningBuilder(
                    event,
                    self._turn_id,
                    index,
                    display=self._reasoning,
                    include_encrypted=self._include_encrypted,
                    open_responses=self._open_responses,
                )
            case "tool_call_name":
                return ToolCallBuilder(event, self._turn_id, index, custom=event.chunk in self._custom_tools)
        raise TypeError(f"no call has these arguments: {event!r}")

    def _close(self, status: Status) -> list[Event]:
        "The last events of the open item, if there is one."
        if self._open is None:
            return []
        item = self._open.item(status)
        events = [*self._open.end(), self._item_event("done", item)]
        self._output.append(item)
        self._open = None
        return events

    def _item_event(self, name: str, item: Item) -> Event:
        return {"type": f"response.output_item.{name}", "output_index": len(self._output), "item": item}

    def _finish(self, finished: Finished) -> list[Event]:
        if finished.notes:
            self._response = {**self._response, "notes": [*finished.notes]}
        if finished.reason == "length":
            events = self._close("incomplete")
            reason = "max_output_tokens"
            response = response_object.as_incomplete(self._response, self._output, finished.usage, reason)
            return [*events, _stage("incomplete", response)]
        events = self._close("completed")
        response = response_object.as_completed(
            self._response, self._output, finished.usage, finished.completed_at
        )
        return [*events, _stage("completed", response)]


def _stage(name: str, response: dict[str, Any]) -> Event:
    return {"type": f"response.{name}", "response": response}
