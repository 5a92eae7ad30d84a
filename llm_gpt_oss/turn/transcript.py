"""The model's text in one completion: text to pass on as it arrives, and whole messages at the end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ..completion import Logprob, Piece
from ..harmony.conversation import Header, Message
from ..harmony.reader import (
    MARKER_DROPPED,
    Event,
    HarmonyReader,
    MessageEnd,
    MessageStart,
    StrayMarker,
    StrayText,
    TextDelta,
)
from ..harmony.recipient import NAMESPACE
from .code_fence import CodeFence
from .note import Note
from .progress import Progress, end_of_text
from .request import TurnRequest
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


@dataclass(slots=True)
class ParsedMessage:
    """A message that the model wrote, with its number in the turn. `prefix` is the part that the prompt had.

    `shown_as` is the channel under which the user sees the text, None for a message that is not shown. `tool`
    is the name of the called tool if it is on offer. `is_whole` is false if `<|message|>` is missing.
    """

    number: int
    header: Header
    prefix: str = ""
    text: str = ""
    shown_as: str | None = None
    tool: str | None = None
    is_whole: bool = True

    @property
    def is_call(self) -> bool:
        return self.header.recipient is not None

    @property
    def is_certain_call(self) -> bool:
        "Whether this is a call to a tool on offer, and not prose in a broken header."
        return self.tool is not None and (self.is_whole or self.text.lstrip().startswith("{"))

    @property
    def message(self) -> Message:
        "The message as the prompt of the next step shows it."
        return Message(self.header, self.prefix + self.text)


class Transcript:
    """Reads the pieces of one completion.

    It numbers messages from `number` on, and adds to the `notes` and `usage` of the turn. `messages` are the
    complete calls and the messages that the user sees. `dropped` is the rest: text that belongs to no
    message, and messages in places where they are not shown. `raw` is the whole text, `reasoning_tokens` the
    number of tokens of reasoning in it. `is_answered` says whether the answer of an `answer` step has ended,
    `ignored_tokens` how many tokens followed it.
    """

    def __init__(
        self, request: TurnRequest, step: Step, number: int, notes: list[Note], usage: Usage
    ) -> None:
        self.messages: list[ParsedMessage] = []
        self.dropped: list[StrayText] = []
        self.number = number
        self.reasoning_tokens = 0
        self.is_answered = False
        self.ignored_tokens = 0
        self._request = request
        self._step = step
        self._pieces: list[str] = []
        # The text so far of the current message.
        self._texts: list[str] = []
        self._notes = notes
        self._usage = usage
        self._tools = tuple(request.tools)
        self._reader = HarmonyReader(step.header, tools=self._tools, constrained=step.format is not None)
        self._called = False
        self._fence = CodeFence[Text]() if request.format is not None else None
        self._message = self._start_message(step.header, step.prefix) if step.header else None
        # The text of a `name` step begins and ends inside a header, so there is no message to parse.
        self._reads_tool_name = step.type == "name"
        self._ignore = False

    @property
    def raw(self) -> str:
        return "".join(self._pieces)

    def text_without_header(self) -> Text | None:
        "Return the whole completion as the answer if the model wrote no header at all, otherwise None."
        if self.messages or len(self.dropped) != 1 or self.dropped[0].has_header:
            return None
        return Text(self._next_number(), "final", self.dropped[0].text, self.dropped[0].logprobs)

    def _next_number(self) -> int:
        "Return the number of a new message."
        self.number += 1
        return self.number - 1

    def feed(self, piece: Piece, /) -> Iterator[Text]:
        tokens = self._usage.add_piece(piece)
        self._pieces.append(piece.text)
        if self.is_answered:
            self.ignored_tokens += tokens
            return
        if not self._reads_tool_name:
            yield from self._read(self._reader.feed(piece))

    def progress(self) -> Progress:
        "Return what the model is writing at the moment."
        tokens, message = self._usage.completion_tokens, self._message
        if message is None:
            return Progress(tokens)
        text = end_of_text(self._texts)
        if message.is_call:
            return Progress(tokens, "call", str(message.header.recipient).removeprefix(NAMESPACE), text)
        return Progress(tokens, "reasoning" if message.shown_as == "analysis" else "answer", None, text)

    def finish(self) -> Iterator[Text]:
        if not (self._reads_tool_name or self.is_answered):
            yield from self._read(self._reader.finish())

    def _read(self, events: Iterable[Event]) -> Iterator[Text]:
        for event in events:
            match event:
                case TextDelta() if self._message and not self._ignore:
                    yield from self._add_text(self._message, event)
                case MessageStart():
                    self._ignore = self._ignore or self._speaks_for_others(event.header)
                    self._message = self._start_message(event.header, is_whole=event.is_whole)
                    if not self._ignore and (self._message.is_call or self._message.shown_as):
                        self._note_repairs(event)
                case MessageEnd() if self._message:
                    yield from self._end_answer(self._message)
                    self._message.text, self._texts = "".join(self._texts), []
                    if not self._ignore:
                        self._end_message(self._message, event.repairs)
                    self.is_answered = self._step.type == "answer" and bool(self._message.text.strip())
                    self._message = None
                case StrayText() if not self._ignore:
                    self.dropped.append(event)
                case StrayMarker() if not self._ignore:
                    self._note_once("A marker that belongs to no message was left out.", event.marker)

    def _start_message(self, header: Header, prefix: str = "", *, is_whole: bool = True) -> ParsedMessage:
        tool = (header.recipient or "").removeprefix(NAMESPACE)
        return ParsedMessage(
            self._next_number(),
            header,
            prefix,
            shown_as=self._shown_as(header),
            tool=tool if header.recipient == NAMESPACE + tool and tool in self._tools else None,
            is_whole=is_whole,
        )

    def _shown_as(self, header: Header) -> str | None:
        """Return the channel under which the text of a message is shown, or None if it is not shown.

        Text after a call is not shown, because the model has not seen the result. The answer is not shown if
        it gets a step of its own. Arguments without a recipient are not shown either. With a schema, the
        answer must be the only text, so a preamble is shown as reasoning.
        """
        channel = header.channel
        if header.recipient is not None or self._called:
            return None
        if channel == "commentary" and header.content_type is not None:
            return None
        if channel == "final" and self._step.answer_follows:
            return None
        if channel == "commentary" and self._request.format is not None:
            channel = "analysis"
        return channel if self._step.type != "think" or channel == "analysis" else None

    def _end_message(self, message: ParsedMessage, repairs: tuple[str, ...]) -> None:
        if message.is_call or message.shown_as:
            if message.text.strip() or MARKER_DROPPED in repairs:
                self._notes += [Note("mended", f"A message was repaired: {repair}.") for repair in repairs]
            self.messages.append(message)
            self._called = self._called or message.is_certain_call
        elif message.text.strip():
            self.dropped.append(StrayText(message.text, has_header=True))

    def _note_once(self, text: str, raw: str | None = None) -> None:
        if text not in (note.text for note in self._notes):
            self._notes.append(Note("mended", text, raw))

    def _note_repairs(self, start: MessageStart) -> None:
        repairs = start.parsed.repairs if start.is_whole else (*start.parsed.repairs, "header's end missing")
        for repair in repairs:
            self._notes.append(Note("mended", f"The header of a message was repaired: {repair}"))
        if start.parsed.renamed_from is not None:
            tool = str(start.header.recipient).removeprefix(NAMESPACE)
            reason = f"The model wrote the name of the tool {tool} differently."
            self._notes.append(Note("renamed", reason, start.parsed.renamed_from))

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
        is_reasoning = message.shown_as == "analysis"
        self._usage.add_text(delta.text, delta.tokens, reasoning=is_reasoning)
        if is_reasoning:
            self.reasoning_tokens += delta.tokens
        text = Text(message.number, message.shown_as or "", delta.text, delta.logprobs)
        if self._fence and message.shown_as == "final":
            yield from self._pass_on(message, self._fence.feed(text))
        else:
            yield from self._pass_on(message, [text])

    def _end_answer(self, message: ParsedMessage) -> Iterator[Text]:
        "Pass on the end of a JSON answer, without a code fence."
        if self._fence and message.shown_as == "final":
            yield from self._pass_on(message, self._fence.finish())
            if self._fence.was_open:
                self._note_once("A code fence around the answer was left out.")
            self._fence = CodeFence()

    def _pass_on(self, message: ParsedMessage, texts: Iterable[Text]) -> Iterator[Text]:
        for text in texts:
            self._texts.append(text.text)
            if message.shown_as:
                yield text
