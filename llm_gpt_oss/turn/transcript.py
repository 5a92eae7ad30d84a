"""What the model writes in one completion: text to pass on, and messages to look at when it is over."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from ..completion import Logprob, Piece
from ..harmony.conversation import Header, Message
from ..harmony.reader import Event, HarmonyReader, MessageEnd, MessageStart, TextDelta
from .steps import Step
from .tool_arguments import Arguments
from .usage import Usage


@dataclass(frozen=True, slots=True)
class Text:
    "Text of the turn's `message`th message: reasoning (analysis), preamble (commentary) or answer (final)."

    message: int
    channel: str
    text: str
    logprobs: tuple[Logprob, ...] = ()


@dataclass(frozen=True, slots=True)
class ToolCall:
    "A whole call, its arguments fit to be used. `name` is as the model sees it."

    message: int
    name: str
    arguments: Arguments


@dataclass(frozen=True, slots=True)
class Note:
    "Something that whoever looks at the turn should know; `raw` is the model's text where that was changed."

    kind: str
    text: str
    raw: str | None = None


@dataclass(slots=True)
class ParsedMessage:
    "A message of the model, `number`th of the turn; `begun` is what the prompt already held of it."

    number: int
    header: Header
    prefix: str = ""
    text: str = ""

    @property
    def channel(self) -> str:
        "A message without a channel, or with one that harmony does not know, is an answer."
        return self.header.channel if self.header.channel in ("analysis", "commentary") else "final"

    @property
    def is_call(self) -> bool:
        return self.header.recipient is not None

    @property
    def is_reasoning(self) -> bool:
        return self.channel == "analysis" and not self.is_call

    @property
    def message(self) -> Message:
        known = self.is_call or self.header.channel == self.channel
        header = self.header if known else replace(self.header, channel=self.channel)
        return Message(header, self.prefix + self.text)


class Transcript:
    """The completion of one step. Messages are numbered from `number` on; `notes` and `tally` are the turn's.

    `written` are the assistant's closed messages, `raw` is the text as it came.
    """

    def __init__(self, step: Step, number: int, notes: list[Note], usage: Usage) -> None:
        self.messages: list[ParsedMessage] = []
        self.raw = ""
        self.number = number
        self._notes = notes
        self._usage = usage
        self._reader = HarmonyReader(step.header, bound=step.format is not None)
        self._message = self._start_message(step.header, step.prefix) if step.header else None
        self._reads_tool_name = step.type == "name"
        self._ignore = False

    def feed(self, piece: Piece, /) -> Iterator[Text]:
        self._usage.add_piece(piece)
        self.raw += piece.text
        # A step that asks for a tool's name begins and ends inside a header: there is no message to read.
        yield from self._read(() if self._reads_tool_name else self._reader.feed(piece))

    def finish(self) -> Iterator[Text]:
        yield from self._read(() if self._reads_tool_name else self._reader.finish())

    def _read(self, events: Iterable[Event]) -> Iterator[Text]:
        for event in events:
            match event:
                case MessageStart(header, slips):
                    self._message = self._start_message(header)
                    self._ignore = self._ignore or self._speaks_for_others(header)
                    for slip in () if self._ignore else slips:
                        self._notes.append(Note("mended", f"A message's header was mended: {slip}"))
                case TextDelta() if self._message and not self._ignore:
                    yield from self._add_text(self._message, event)
                case MessageEnd() if self._message:
                    if not self._ignore:
                        self.messages.append(self._message)
                    self._message = None

    def _start_message(self, header: Header, begun: str = "") -> ParsedMessage:
        self.number += 1
        return ParsedMessage(self.number - 1, header, begun)

    def _speaks_for_others(self, header: Header) -> bool:
        "A model that was not stopped at the end of its turn goes on with what others might say."
        if header.role == "assistant":
            return False
        self._notes.append(
            Note("spoke_for_others", f"The model went on as {header.name or header.role}: left out.")
        )
        return True

    def _add_text(self, writing: ParsedMessage, said: TextDelta) -> Iterator[Text]:
        writing.text += said.text
        self._usage.add_text(said.text, said.tokens, reasoning=writing.is_reasoning)
        if not writing.is_call:
            yield Text(writing.number, writing.channel, said.text, said.logprobs)
