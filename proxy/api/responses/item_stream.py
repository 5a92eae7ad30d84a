"""An item as it is written: shown empty, then delta by delta, then whole.

Events as in OpenAI's SDK, `types/responses/response_stream_event.py`, less their `sequence_number`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from llm.parts import StreamEvent
from pydantic_core import from_json

from llm_gpt_oss.completion import Logprob
from llm_gpt_oss.turn.events import AnswerEvent

from ...items.ids import item_id
from ...items.output import (
    Item,
    Status,
    custom_tool_call_item,
    function_call_item,
    message_item,
    name_fields,
    output_text,
    phase_of,
    reasoning_item,
    reasoning_text,
    summary_text,
)
from ...items.tools import custom_input
from ...settings import ReasoningDisplay

Event = dict[str, Any]


@dataclass(frozen=True, slots=True)
class EventNames:
    "What the events of an item's part are called, and its number among the parts."

    part: str
    text: str
    number: str


ANSWER = EventNames("response.content_part", "response.output_text", "content_index")
THOUGHT = EventNames("response.content_part", "response.reasoning_text", "content_index")
OPEN_THOUGHT = EventNames("response.content_part", "response.reasoning", "content_index")
SUMMARY = EventNames("response.reasoning_summary_part", "response.reasoning_summary_text", "summary_index")


class ItemBuilder(Protocol):
    "An item that is being written."

    def continues(self, event: StreamEvent, /) -> bool:
        "Whether the event is part of this item."

    def begin(self) -> Iterator[Event]:
        "The events between the item's own first one and its first delta."

    def feed(self, event: StreamEvent, /) -> Iterator[Event]:
        "The deltas that the event makes."

    def end(self) -> Iterator[Event]:
        "The events between the last delta and the item's own last one."

    def item(self, status: Status) -> Item:
        "As far as it has come; `status` is that of the turn, for what is not sure to be whole."


class PartEvents:
    "The events of one part of an item, which are of one text."

    def __init__(self, naming: EventNames, id: str, index: int) -> None:
        self._naming = naming
        self._at = {"item_id": id, "output_index": index, naming.number: 0}
        self._delta = {"type": f"{naming.text}.delta", **self._at}

    def begin(self, part: Item) -> Event:
        return {"type": f"{self._naming.part}.added", **self._at, "part": part}

    def delta(self, text: str) -> Event:
        return {**self._delta, "delta": text}

    def end(self, text: str, part: Item, **more: Any) -> Iterator[Event]:
        yield {"type": f"{self._naming.text}.done", **self._at, "text": text, **more}
        yield {"type": f"{self._naming.part}.done", **self._at, "part": part}


class MessageBuilder:
    "An answer, or what the model says before it calls a tool."

    def __init__(self, first: StreamEvent, source: str, index: int) -> None:
        self._id = item_id("message", source, index)
        self._phase = phase_of(first.provider_metadata)
        self._first = first
        self._part = PartEvents(ANSWER, self._id, index)
        self._texts: list[str] = []
        self._logprobs: list[Item] = []

    def continues(self, event: StreamEvent, /) -> bool:
        return _same_part(event, self._first)

    def begin(self) -> Iterator[Event]:
        yield self._part.begin(output_text())

    def feed(self, event: StreamEvent, /) -> Iterator[Event]:
        self._texts.append(event.chunk)
        logprobs: list[Item] = []
        if isinstance(event, AnswerEvent) and event.logprobs:
            logprobs = [_token(given) for given in event.logprobs]
            self._logprobs += logprobs
        delta = self._part.delta(event.chunk)
        delta["logprobs"] = logprobs
        yield delta

    def end(self) -> Iterator[Event]:
        text = "".join(self._texts)
        yield from self._part.end(text, output_text(text, self._logprobs), logprobs=self._logprobs)

    def item(self, status: Status) -> Item:
        text = "".join(self._texts)
        return message_item(self._id, text, status, phase=self._phase, logprobs=self._logprobs)


class ReasoningBuilder:
    "`shown` as what, under Open Responses' names or OpenAI's; `sealed` to be sent back as one token."

    def __init__(
        self,
        first: StreamEvent,
        source: str,
        index: int,
        *,
        shown: ReasoningDisplay,
        sealed: bool,
        open_responses: bool,
    ) -> None:
        self._id = item_id("reasoning", source, index)
        self._shown = shown
        self._sealed = sealed
        self._first = first
        thought = OPEN_THOUGHT if open_responses else THOUGHT
        self._parts = []
        if shown != "summary":
            self._parts.append((PartEvents(thought, self._id, index), reasoning_text))
        if shown != "text":
            self._parts.append((PartEvents(SUMMARY, self._id, index), summary_text))
        self._texts: list[str] = []

    def continues(self, event: StreamEvent, /) -> bool:
        return _same_part(event, self._first)

    def begin(self) -> Iterator[Event]:
        for part, shaped in self._parts:
            yield part.begin(shaped())

    def feed(self, event: StreamEvent, /) -> Iterator[Event]:
        self._texts.append(event.chunk)
        for part, _ in self._parts:
            yield part.delta(event.chunk)

    def end(self) -> Iterator[Event]:
        text = "".join(self._texts)
        for part, shaped in self._parts:
            yield from part.end(text, shaped(text))

    def item(self, status: Status) -> Item:
        text = "".join(self._texts)
        return reasoning_item(self._id, text, status, display=self._shown, include_encrypted=self._sealed)


class ToolCallBuilder:
    """A call of a function, or of a custom tool, whose argument is free text.

    Its arguments go out in one delta, when they are whole: models that are not ours may give them in pieces,
    and the log does not tell which.
    """

    def __init__(self, first: StreamEvent, source: str, index: int, *, custom: bool) -> None:
        self._custom = custom
        self._first = first
        self._id = item_id("custom_tool_call" if custom else "function_call", source, index)
        self._shaped = custom_tool_call_item if custom else function_call_item
        self._at = {"item_id": self._id, "output_index": index}
        self._own_name = name_fields(first.chunk)["name"]
        self._texts: list[str] = []

    def continues(self, event: StreamEvent, /) -> bool:
        return event.type == "tool_call_args" and event.tool_call_id == self._first.tool_call_id

    def begin(self) -> Iterator[Event]:
        return iter(())

    def feed(self, event: StreamEvent, /) -> Iterator[Event]:
        if event.type == "tool_call_args":
            self._texts.append(event.chunk)
        return iter(())

    def end(self) -> Iterator[Event]:
        if self._custom:
            kind, told = "response.custom_tool_call_input", {"input": self._text}
        else:
            # OpenAI's description of the API requires the name, though its SDK does not know it.
            kind, told = "response.function_call_arguments", {"arguments": self._text, "name": self._own_name}
        yield {"type": f"{kind}.delta", **self._at, "delta": self._text}
        yield {"type": f"{kind}.done", **self._at, **told}

    def item(self, status: Status) -> Item:
        call_id = self._first.tool_call_id or ""
        if status == "in_progress":
            return self._shaped(self._id, call_id, self._first.chunk, status=status)
        ended: Status = "completed" if self._is_whole() else status
        return self._shaped(self._id, call_id, self._first.chunk, self._text, ended)

    @property
    def _text(self) -> str:
        arguments = "".join(self._texts).strip() or "{}"
        return custom_input(arguments) if self._custom else arguments

    def _is_whole(self) -> bool:
        "A turn may break off behind a call."
        try:
            from_json("".join(self._texts))
        except ValueError:
            return False
        return True


def _same_part(event: StreamEvent, other: StreamEvent) -> bool:
    return event.part_index == other.part_index and event.type == other.type


def _token(given: Logprob) -> Item:
    "As `Logprob` in the SDK's `types/responses/response_output_text.py`, which wants the bytes always."
    return {**_logprob(given), "top_logprobs": [_logprob(rival) for rival in given.top]}


def _logprob(given: Logprob) -> Item:
    spelled = given.token.encode() if given.bytes is None else given.bytes
    return {"token": given.token, "logprob": given.logprob, "bytes": [*spelled]}
