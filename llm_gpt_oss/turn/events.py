"""What the model said, as llm's stream events; and the turn's record."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

import llm
from llm.parts import StreamEvent

from ..completion import Logprob
from .machine import TurnMachine
from .messages import PREAMBLE, SEPARATOR, arguments_metadata
from .tool_names import ToolNames
from .transcript import Text, ToolCall


@dataclass
class AnswerEvent(StreamEvent):
    "A text event with its log probabilities, which llm does not know of and does not store with the text."

    logprobs: tuple[Logprob, ...] = field(default=())


class EventWriter:
    """`Text` and `Call` in, llm's events out. Each message of the turn is a part of its own.

    `new_id` makes the ids of tool calls; `clock` tells milliseconds, for the time to the first token.
    """

    def __init__(
        self, plan: TurnMachine, names: ToolNames, new_id: Callable[[], str], clock: Callable[[], float]
    ) -> None:
        self._plan = plan
        self._names = names
        self._new_id = new_id
        self._clock = clock
        self._started = clock()
        self._first: float | None = None
        self._calls: list[llm.ToolCall] = []
        self._logprobs: list[Logprob] = []
        self._visible: int | None = None

    def feed(self, said: Text | ToolCall, /) -> Iterator[StreamEvent]:
        if self._first is None:
            self._first = self._clock()
        match said:
            case Text(message, "analysis", text):
                yield StreamEvent("reasoning", text, part_index=_part(message))
            case Text():
                yield from self._separated(said.message)
                yield self._text(said)
            case _:
                yield from self._call(said)

    def _separated(self, message: int) -> Iterator[StreamEvent]:
        "A blank line between two messages that a person reads one after the other."
        if self._visible not in (None, message):
            yield StreamEvent("text", "\n\n", part_index=_part(message) - 1, provider_metadata=SEPARATOR)
        self._visible = message

    def _text(self, said: Text) -> StreamEvent:
        place = _part(said.message)
        if said.channel == "commentary":
            return StreamEvent("text", said.text, part_index=place, provider_metadata=PREAMBLE)
        self._logprobs += said.logprobs
        return AnswerEvent("text", said.text, part_index=place, logprobs=said.logprobs)

    def _call(self, said: ToolCall) -> Iterator[StreamEvent]:
        call = llm.ToolCall(self._names.original_name(said.name), said.arguments.value, self._new_id())
        self._calls.append(call)
        written = arguments_metadata(call.arguments, said.arguments.text)
        name = StreamEvent("tool_call_name", call.name, provider_metadata=written)
        for event in (name, StreamEvent("tool_call_args", said.arguments.text)):
            event.part_index, event.tool_call_id = _part(said.message), call.tool_call_id
            yield event

    def record(self, response: llm.Response | llm.AsyncResponse) -> None:
        "The turn's calls, usage and outcome, as they stand: also of a turn that broke off."
        for call in self._calls:
            response.add_tool_call(call)
        tally = self._plan.usage
        details = tally.details()
        if self._first is not None:
            details["time_to_first_token_ms"] = round(self._first - self._started)
        response.set_usage(input=tally.prompt_tokens, output=tally.completion_tokens, details=details)
        response.set_resolved_model(self._plan.request.defaults.model)
        response.response_json = {
            "outcome": self._outcome(),
            "completions": tally.completions,
            **({"logprobs": [logprob_json(logprob) for logprob in self._logprobs]} if self._logprobs else {}),
        }

    def _outcome(self) -> dict[str, Any]:
        notes = [{key: value for key, value in asdict(note).items() if value} for note in self._plan.notes]
        return {"finish_reason": self._plan.finish_reason, "notes": notes}


def _part(message: int) -> int:
    "Each message is a part; the odd places between them are for separators."
    return 2 * message


def logprob_json(logprob: Logprob) -> dict[str, Any]:
    "As OpenAI's API has it (`types/chat/chat_completion_token_logprob.py`)."
    plain: dict[str, Any] = {
        "token": logprob.token,
        "logprob": logprob.logprob,
        "bytes": list(logprob.bytes) if logprob.bytes is not None else None,
        "top_logprobs": [logprob_json(rival) for rival in logprob.top],
    }
    return plain
