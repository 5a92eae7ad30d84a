"""Parse the harmony text that the model generates: pieces of text in, message events out.

The prompt ends with `<|start|>assistant`, so the generated text begins inside a header. It continues with
whole messages:

    <|channel|>analysis<|message|>I need the weather.<|end|>
    <|start|>assistant<|channel|>commentary to=functions.get_weather <|constrain|>json<|message|>{}<|call|>

The part before `<|message|>` is a header (see `header.py`). The part after it is the text of the message, up
to `<|end|>`, `<|call|>` or `<|return|>`. The last two also end the completion, so engines usually do not pass
them on.

`docs/format.md` of openai/harmony describes well-formed text. Models also forget `<|end|>`, `<|message|>` or
a whole header, which the reader accepts. Text that belongs to no message becomes a `StrayText`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from ..completion import Logprob, Piece
from .conversation import Header
from .header import ParsedHeader, parse_header, split_at_channels, split_header
from .markers import (
    CALL,
    CHANNEL,
    CONSTRAIN,
    END,
    MARKER,
    MARKERS,
    MESSAGE,
    RETURN,
    START,
    ends_inside_neutralised,
    neutralise,
    restore,
)


@dataclass(frozen=True, slots=True)
class MessageStart:
    """A message starts: its header is complete.

    `is_whole` is false if `<|message|>` is missing, so that the end of the header is a guess.
    """

    parsed: ParsedHeader
    is_whole: bool = True

    @property
    def header(self) -> Header:
        return self.parsed.header


@dataclass(frozen=True, slots=True)
class TextDelta:
    "Text of the current message, and the number of its tokens as far as the pieces report it."

    text: str
    tokens: int = 1
    logprobs: tuple[Logprob, ...] = ()


@dataclass(frozen=True, slots=True)
class MessageEnd:
    """The current message ends with this marker, or with the end of the text if it is None.

    `repairs` names what was wrong with the message after its header.
    """

    marker: str | None
    repairs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StrayText:
    """Text that belongs to no message.

    With `has_header`, part of a header precedes the text. If nothing follows that part, it is the text.
    """

    text: str
    has_header: bool
    logprobs: tuple[Logprob, ...] = ()


@dataclass(frozen=True, slots=True)
class StrayMarker:
    "A special token that neither begins nor ends a message."

    marker: str


Event = MessageStart | TextDelta | MessageEnd | StrayText | StrayMarker

END_MARKERS = (END, RETURN, CALL)
MARKER_DROPPED = "a marker in the text was left out"


class HarmonyReader:
    """A `streaming.Translator` that parses one completion: each `Piece` gives the events that it completes.

    The events of a message are one `MessageStart`, any number of `TextDelta`, one `MessageEnd`. Messages come
    in order, one after the other. A `StrayText` or a `StrayMarker` comes between messages. If the prompt
    ended inside a message, `open_header` is its header, and that message has no `MessageStart`. `tools` are
    the names of the tools that the model may call. If a grammar constrained the text, set `constrained`: the
    text cannot contain special tokens then.

    A piece that is exactly a marker is a special token. If the model spells out the same characters, they are
    part of other pieces, and are text. If the model copies neutralised text from the prompt, it is restored.
    """

    def __init__(
        self,
        open_header: Header | None = None,
        *,
        tools: tuple[str, ...] = (),
        constrained: bool = False,
    ) -> None:
        self._in_message = open_header is not None
        # Only the first header follows `<|start|>assistant`.
        self._has_author = True
        self._tools = tools
        self._constrained = constrained
        # The part of the next header that has arrived, without START and MESSAGE.
        self._header_text: list[str] = []
        self._header_logprobs: list[Logprob] = []
        # What was wrong with the text of the current message.
        self._repairs: list[str] = []
        # Text whose end may be the beginning of a neutralised token.
        self._waiting: list[TextDelta] = []

    def feed(self, piece: Piece, /) -> Iterator[Event]:
        if not self._constrained and piece.text in MARKERS:
            yield from self._restored_text()
            yield from self._marker(piece.text)
        elif self._in_message:
            if piece.text:
                yield from self._text(
                    TextDelta(piece.text, max(piece.tokens, len(piece.logprobs)), piece.logprobs)
                )
        else:
            self._header_text.append(piece.text)
            self._header_logprobs += piece.logprobs

    def finish(self) -> Iterator[Event]:
        yield from self._restored_text()
        if self._in_message:
            self._in_message = False
            yield self._message_end(None)
        else:
            yield from self._messages_without_marker(None)

    def _text(self, delta: TextDelta) -> Iterator[TextDelta]:
        before, begins, _ = delta.text.rpartition("<")
        if not begins and not self._waiting:
            yield delta
            return
        if begins and restore(text := self._waiting_text + before) == text:
            # What waits was not the beginning of a neutralised token.
            yield from self._restored_text()
        self._waiting.append(delta)
        if not ends_inside_neutralised(self._waiting_text):
            yield from self._restored_text()

    @property
    def _waiting_text(self) -> str:
        return "".join(delta.text for delta in self._waiting)

    def _restored_text(self) -> Iterator[TextDelta]:
        text, waiting, self._waiting = self._waiting_text, self._waiting, []
        if (restored := restore(text)) == text:
            yield from waiting
        else:
            logprobs = tuple(logprob for delta in waiting for logprob in delta.logprobs)
            yield TextDelta(restored, sum(delta.tokens for delta in waiting), logprobs)

    def _marker(self, marker: str) -> Iterator[Event]:
        if self._in_message:
            yield from self._marker_in_message(marker)
        elif marker == MESSAGE:
            *earlier, header = self._take_headers()
            for text in earlier:
                yield from self._message_without_marker(text, END)
            self._in_message = True
            yield MessageStart(parse_header(header, self._tools, has_author=self._has_author))
        elif marker in (CHANNEL, CONSTRAIN):
            self._header_text.append(marker)
        else:
            if marker in END_MARKERS and not self._header_text:
                yield StrayMarker(marker)
            yield from self._messages_without_marker(END if marker == START else marker)
            self._has_author = False

    def _marker_in_message(self, marker: str) -> Iterator[Event]:
        """End the current message. Before START and CHANNEL, which begin a header, `<|end|>` was forgotten.

        MESSAGE and CONSTRAIN have no meaning inside a message and are dropped.
        """
        if marker in (MESSAGE, CONSTRAIN):
            self._repairs.append(MARKER_DROPPED)
            return
        self._in_message = self._has_author = False
        if marker == CHANNEL:
            self._header_text.append(marker)
        if marker not in END_MARKERS:
            self._repairs.append("its end was missing")
            marker = END
        yield self._message_end(marker)

    def _message_end(self, marker: str | None) -> MessageEnd:
        repairs, self._repairs = tuple(dict.fromkeys(self._repairs)), []
        return MessageEnd(marker, repairs)

    def _messages_without_marker(self, end: str | None) -> Iterator[Event]:
        "Yield the messages and stray text in the collected header text, which no `<|message|>` ended."
        logprobs = tuple(self._header_logprobs)
        *earlier, last = self._take_headers()
        for text in earlier:
            yield from self._message_without_marker(text, END)
        yield from self._message_without_marker(last, end, logprobs)

    def _message_without_marker(
        self, header_text: str, end: str | None, logprobs: tuple[Logprob, ...] = ()
    ) -> Iterator[Event]:
        "Yield a message if the text begins like a call or reasoning, else stray text: answers need a header."
        parsed, text = split_header(header_text, self._tools, has_author=self._has_author)
        text = restore(MARKER.sub("", text))
        has_header = MARKER.search(header_text) is not None
        if not text.strip():
            if has_header and end is not None:
                yield StrayText(header_text, has_header)
            elif header_text in MARKERS:
                yield StrayMarker(header_text)
            return
        if parsed.header.recipient or parsed.header.channel == "analysis":
            yield MessageStart(parsed, is_whole=False)
            yield TextDelta(text)
            yield MessageEnd(end)
        else:
            yield StrayText(text, has_header, logprobs)

    def _take_headers(self) -> list[str]:
        "Return the collected text, split into headers. Special tokens that are spelled out are neutralised."
        parts = groupby(self._header_text, key=MARKERS.__contains__)
        text = "".join("".join(part) if is_marker else neutralise("".join(part)) for is_marker, part in parts)
        self._header_text.clear()
        self._header_logprobs.clear()
        return split_at_channels(text)
