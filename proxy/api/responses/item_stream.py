"""The events of one item: an empty item, a delta for each piece, then the complete item.

Events are those of OpenAI's SDK (`types/responses/response_stream_event.py`) without `sequence_number`.
"""

from __future__ import annotations

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
    "The types of the events of a part of an item, and the key with the part's index in them."

    part: str
    text: str
    index: str


OUTPUT_TEXT = EventNames("response.content_part", "response.output_text", "content_index")
REASONING_TEXT = EventNames("response.content_part", "response.reasoning_text", "content_index")
OPEN_RESPONSES_REASONING = EventNames("response.content_part", "response.reasoning", "content_index")
SUMMARY = EventNames("response.reasoning_summary_part", "response.reasoning_summary_text", "summary_index")


class ItemBuilder(Protocol):
    "An item under construction."

    def continues(self, event: StreamEvent, /) -> bool:
        "Whether the event belongs to this item."

    def begin(self) -> list[Event]:
        "The events between `output_item.added` and the first delta."

    def feed(self, event: StreamEvent, /) -> list[Event]:
        "The deltas of an event."

    def end(self) -> list[Event]:
        "The events between the last delta and `output_item.done`."

    def item(self, status: Status) -> Item:
        "The item so far. `status` is the turn's: a complete call is completed even if its turn is not."


class PartEvents:
    "Renders the events of one part of an item, which consists of one text."

    def __init__(self, names: EventNames, id: str, index: int) -> None:
        self._names = names
        self._position = {"item_id": id, "output_index": index, names.index: 0}
        self._delta = {"type": f"{names.text}.delta", **self._position}

    def begin(self, part: Item) -> Event:
        return {"type": f"{self._names.part}.added", **self._position, "part": part}

    def delta(self, text: str, **more: Any) -> Event:
        return {**self._delta, "delta": text, **more}

    def end(self, text: str, part: Item, **more: Any) -> list[Event]:
        return [
            {"type": f"{self._names.text}.done", **self._position, "text": text, **more},
            {"type": f"{self._names.part}.done", **self._position, "part": part},
        ]


class MessageBuilder:
    "A text of the assistant: an answer, or what it says before a tool call."

    def __init__(self, first: StreamEvent, source: str, index: int) -> None:
        self._id = item_id("message", source, index)
        self._phase = phase_of(first.provider_metadata)
        self._first = first
        self._part = PartEvents(OUTPUT_TEXT, self._id, index)
        self._pieces: list[str] = []
        self._logprobs: list[Item] = []

    def continues(self, event: StreamEvent, /) -> bool:
        return _same_part(event, self._first)

    def begin(self) -> list[Event]:
        return [self._part.begin(output_text())]

    def feed(self, event: StreamEvent, /) -> list[Event]:
        self._pieces.append(event.chunk)
        logprobs: list[Item] = []
        if isinstance(event, AnswerEvent) and event.logprobs:
            logprobs = [_token_logprob(token) for token in event.logprobs]
            self._logprobs += logprobs
        return [self._part.delta(event.chunk, logprobs=logprobs)]

    def end(self) -> list[Event]:
        text = "".join(self._pieces)
        return self._part.end(text, output_text(text, self._logprobs), logprobs=self._logprobs)

    def item(self, status: Status) -> Item:
        text = "".join(self._pieces)
        return message_item(self._id, text, status, phase=self._phase, logprobs=self._logprobs)


class ReasoningBuilder:
    """Reasoning as text, as a summary or as both (`display`).

    `open_responses` uses the event names of the Open Responses specification. `include_encrypted` adds
    `encrypted_content`.
    """

    def __init__(
        self,
        first: StreamEvent,
        source: str,
        index: int,
        *,
        display: ReasoningDisplay,
        include_encrypted: bool,
        open_responses: bool,
    ) -> None:
        self._id = item_id("reasoning", source, index)
        self._display = display
        self._include_encrypted = include_encrypted
        self._first = first
        names = OPEN_RESPONSES_REASONING if open_responses else REASONING_TEXT
        # Each part's events, with the function that renders its content.
        self._parts = []
        if display != "summary":
            self._parts.append((PartEvents(names, self._id, index), reasoning_text))
        if display != "text":
            self._parts.append((PartEvents(SUMMARY, self._id, index), summary_text))
        self._pieces: list[str] = []

    def continues(self, event: StreamEvent, /) -> bool:
        return _same_part(event, self._first)

    def begin(self) -> list[Event]:
        return [part.begin(content()) for part, content in self._parts]

    def feed(self, event: StreamEvent, /) -> list[Event]:
        self._pieces.append(event.chunk)
        return [part.delta(event.chunk) for part, _ in self._parts]

    def end(self) -> list[Event]:
        text = "".join(self._pieces)
        return [event for part, content in self._parts for event in part.end(text, content(text))]

    def item(self, status: Status) -> Item:
        return reasoning_item(
            self._id,
            "".join(self._pieces),
            status,
            display=self._display,
            include_encrypted=self._include_encrypted,
        )


class ToolCallBuilder:
    """A call of a function, or of a custom tool, which takes free text.

    The arguments are one delta, sent when they are complete: models of other plugins may stream them in
    pieces, and the log does not record these pieces.
    """

    def __init__(self, first: StreamEvent, source: str, index: int, *, custom: bool) -> None:
        self._custom = custom
        self._first = first
        self._id = item_id("custom_tool_call" if custom else "function_call", source, index)
        self._make_item = custom_tool_call_item if custom else function_call_item
        self._position = {"item_id": self._id, "output_index": index}
        self._pieces: list[str] = []

    def continues(self, event: StreamEvent, /) -> bool:
        return event.type == "tool_call_args" and event.tool_call_id == self._first.tool_call_id

    def begin(self) -> list[Event]:
        return []

    def feed(self, event: StreamEvent, /) -> list[Event]:
        if event.type == "tool_call_args":
            self._pieces.append(event.chunk)
        return []

    def end(self) -> list[Event]:
        text = self._text
        if self._custom:
            event_type, fields = "response.custom_tool_call_input", {"input": text}
        else:
            # OpenAI's API description requires the name, which its SDK does not have.
            name = name_fields(self._first.chunk)["name"]
            event_type, fields = "response.function_call_arguments", {"arguments": text, "name": name}
        return [
            {"type": f"{event_type}.delta", **self._position, "delta": text},
            {"type": f"{event_type}.done", **self._position, **fields},
        ]

    def item(self, status: Status) -> Item:
        call_id = self._first.tool_call_id or ""
        if status == "in_progress":
            return self._make_item(self._id, call_id, self._first.chunk, status=status)
        final_status: Status = "completed" if self._has_complete_arguments() else status
        return self._make_item(self._id, call_id, self._first.chunk, self._text, final_status)

    @property
    def _text(self) -> str:
        arguments = "".join(self._pieces).strip() or "{}"
        return custom_input(arguments) if self._custom else arguments

    def _has_complete_arguments(self) -> bool:
        "Whether the arguments are complete JSON, which is possible even if the turn broke off."
        try:
            from_json("".join(self._pieces))
        except ValueError:
            return False
        return True


def _same_part(event: StreamEvent, other: StreamEvent) -> bool:
    return event.part_index == other.part_index and event.type == other.type


def _token_logprob(token: Logprob) -> Item:
    "Return a token in the form of `Logprob` in the SDK's `types/responses/response_output_text.py`."
    return {**_logprob(token), "top_logprobs": [_logprob(alternative) for alternative in token.top]}


def _logprob(token: Logprob) -> Item:
    # The SDK's type requires the bytes, which some engines do not return.
    token_bytes = token.token.encode() if token.bytes is None else token.bytes
    return {"token": token.token, "logprob": token.logprob, "bytes": [*token_bytes]}
