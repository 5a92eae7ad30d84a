"""The model's text and calls as llm's stream events, and the record of the turn in llm's response."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

import llm
from llm.parts import StreamEvent

from ..completion import Logprob
from .messages import PREAMBLE, SEPARATOR, arguments_metadata
from .note import Note
from .request import TurnRequest
from .tool_names import ToolNames
from .transcript import Text, ToolCall
from .usage import Usage


class TurnState(Protocol):
    "What the record of a turn says besides its events. A `TurnMachine` has it."

    @property
    def request(self) -> TurnRequest: ...

    @property
    def usage(self) -> Usage: ...

    @property
    def notes(self) -> list[Note]: ...

    @property
    def finish_reason(self) -> str | None: ...


@dataclass
class AnswerEvent(StreamEvent):
    "A text event with the log probabilities of its tokens, which llm has no field for."

    logprobs: tuple[Logprob, ...] = field(default=())


class EventWriter:
    """Translates `Text` and `ToolCall` to llm's events. Each message of the turn is a part of its own.

    `new_id` returns ids for tool calls. `clock` returns milliseconds, for the time to the first token.
    """

    def __init__(
        self,
        state: TurnState,
        tool_names: ToolNames,
        new_id: Callable[[], str],
        clock: Callable[[], float],
    ) -> None:
        self._state = state
        self._tool_names = tool_names
        self._new_id = new_id
        self._clock = clock
        self._start_ms = clock()
        self._first_token_ms: float | None = None
        self._calls: list[llm.ToolCall] = []
        self._logprobs: list[Logprob] = []
        # The number of the last message with visible text.
        self._visible_message: int | None = None

    def feed(self, output: Text | ToolCall, /) -> Iterator[StreamEvent]:
        if self._first_token_ms is None:
            self._first_token_ms = self._clock()
        match output:
            case Text(message, "analysis", text):
                yield StreamEvent("reasoning", text, part_index=_part_index(message))
            case Text():
                yield from self._separator(output.message)
                yield self._text_event(output)
            case _:
                yield from self._call_events(output)

    def _separator(self, message: int) -> Iterator[StreamEvent]:
        "Yield a blank line between two messages with visible text."
        if self._visible_message not in (None, message):
            yield StreamEvent(
                "text", "\n\n", part_index=_part_index(message) - 1, provider_metadata=SEPARATOR
            )
        self._visible_message = message

    def _text_event(self, text: Text) -> StreamEvent:
        part_index = _part_index(text.message)
        if text.channel == "commentary":
            return StreamEvent("text", text.text, part_index=part_index, provider_metadata=PREAMBLE)
        self._logprobs += text.logprobs
        return AnswerEvent("text", text.text, part_index=part_index, logprobs=text.logprobs)

    def _call_events(self, parsed: ToolCall) -> Iterator[StreamEvent]:
        arguments = parsed.arguments
        call = llm.ToolCall(self._tool_names.original_name(parsed.name), arguments.value, self._new_id())
        self._calls.append(call)
        metadata = arguments_metadata(call.arguments, arguments.text)
        name = StreamEvent("tool_call_name", call.name, provider_metadata=metadata)
        for event in (name, StreamEvent("tool_call_args", arguments.text)):
            event.part_index, event.tool_call_id = _part_index(parsed.message), call.tool_call_id
            yield event

    def record(self, response: llm.Response | llm.AsyncResponse) -> None:
        "Set the calls, usage and outcome of `response`, also for a turn that was interrupted."
        for call in self._calls:
            response.add_tool_call(call)
        usage = self._state.usage
        details = usage.details()
        if self._first_token_ms is not None:
            details["time_to_first_token_ms"] = round(self._first_token_ms - self._start_ms)
        response.set_usage(input=usage.prompt_tokens, output=usage.completion_tokens, details=details)
        response.set_resolved_model(self._state.request.defaults.model)
        response.response_json = {
            "outcome": self._outcome(),
            "completions": usage.completions,
            **({"logprobs": [logprob_json(logprob) for logprob in self._logprobs]} if self._logprobs else {}),
        }

    def _outcome(self) -> dict[str, Any]:
        notes = [{key: value for key, value in asdict(note).items() if value} for note in self._state.notes]
        return {"finish_reason": self._state.finish_reason, "notes": notes}


def _part_index(message: int) -> int:
    "The part of a message. The odd numbers in between are for separators."
    return 2 * message


def logprob_json(logprob: Logprob) -> dict[str, Any]:
    "Return a token in the format of OpenAI's API (`types/chat/chat_completion_token_logprob.py`)."
    return {
        "token": logprob.token,
        "logprob": logprob.logprob,
        "bytes": list(logprob.bytes) if logprob.bytes is not None else None,
        "top_logprobs": [logprob_json(alternative) for alternative in logprob.top],
    }
