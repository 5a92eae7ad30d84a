"""The model's text in one completion: text to pass on as it arrives, and whole messages at the end."""

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
    """A piece of the text of a message.

    `message` is the message's number in the turn. `channel` is "analysis" for reasoning, "commentary" for a
    preamble to tool calls, "final" for the answer.
    """

    message: int
    channel: str
    text: str
    logprobs: tuple[Logprob, ...] = ()


@dataclass(frozen=True, slots=True)
class ToolCall:
    "A complete call with usable arguments. `name` is the name that the model sees."

    message: int
    name: str
    arguments: Arguments


@dataclass(frozen=True, slots=True)
class Note:
    "What a reader of the log should know about a turn. `raw` is the model's own text if it was changed."

    kind: str
    text: str
    raw: str | None = None


@dataclass(slots=True)
class ParsedMessage:
    "A message that the model wrote, with its number in the turn. `prefix` is the part that the prompt had."

    number: int
    header: Header
    prefix: str = ""
    text: str = ""

    @property
    def channel(self) -> str:
        "The message's channel; `final` for a message with no channel or one that harmony does not have."
        return self.header.channel if self.header.channel in ("analysis", "commentary") else "final"

    @property
    def is_call(self) -> bool:
        return self.header.recipient is not None

    @property
    def is_reasoning(self) -> bool:
        return self.channel == "analysis" and not self.is_call

    @property
    def message(self) -> Message:
        "The message as the prompt of the next step shows it."
        known = self.is_call or self.header.channel == self.channel
        header = self.header if known else replace(self.header, channel=self.channel)
        return Message(header, self.prefix + self.text)


class Transcript:
    """Reads the pieces of one completion.

    It numbers messages from `number` on, and adds to the `notes` and `usage` of the turn. `messages` are the
    complete messages of the assistant, `raw` is the whole text.
    """

    def __init__(self, step: Step, number: int, notes: list[Note], usage: Usage) -> None:
        self.messages: list[ParsedMessage] = []
        self.raw = ""
        self.number = number
        self._notes = notes
        self._usage = usage
        self._reader = HarmonyReader(step.header, constrained=step.format is not None)
        self._message = self._start_message(step.header, step.prefix) if step.header else None
        # The text of a `name` step begins and ends inside a header, so there is no message to parse.
        self._reads_tool_name = step.type == "name"
        self._ignore = False

    def feed(self, piece: Piece, /) -> Iterator[Text]:
        self._usage.add_piece(piece)
        self.raw += piece.text
        yield from self._read(() if self._reads_tool_name else self._reader.feed(piece))

    def finish(self) -> Iterator[Text]:
        yield from self._read(() if self._reads_tool_name else self._reader.finish())

    def _read(self, events: Iterable[Event]) -> Iterator[Text]:
        for event in events:
            match event:
                case TextDelta() if self._message and not self._ignore:
                    yield from self._add_text(self._message, event)
                case MessageStart(header, repairs):
                    self._message = self._start_message(header)
                    self._ignore = self._ignore or self._speaks_for_others(header)
                    for repair in () if self._ignore else repairs:
                        self._notes.append(Note("mended", f"The header of a message was repaired: {repair}"))
                case MessageEnd() if self._message:
                    if not self._ignore:
                        self.messages.append(self._message)
                    self._message = None

    def _start_message(self, header: Header, prefix: str = "") -> ParsedMessage:
        self.number += 1
        return ParsedMessage(self.number - 1, header, prefix)

    def _speaks_for_others(self, header: Header) -> bool:
        "Whether the model, which did not stop after its turn, writes a message of the user or of a tool."
        if header.role == "assistant":
            return False
        author = header.name or header.role
        self._notes.append(
            Note("spoke_for_others", f"A message that the model wrote as {author} was left out.")
        )
        return True

    def _add_text(self, message: ParsedMessage, delta: TextDelta) -> Iterator[Text]:
        message.text += delta.text
        self._usage.add_text(delta.text, delta.tokens, reasoning=message.is_reasoning)
        if not message.is_call:
            yield Text(message.number, message.channel, delta.text, delta.logprobs)
