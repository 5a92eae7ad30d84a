"""Parse the harmony text that the model generates: pieces of text in, message events out.

The prompt ends with `<|start|>assistant`, so the generated text begins inside a header. It continues with
whole messages:

    <|channel|>analysis<|message|>I need the weather.<|end|>
    <|start|>assistant<|channel|>commentary to=functions.get_weather <|constrain|>json<|message|>{}<|call|>

The part before `<|message|>` is a header: author, channel, recipient and content type (see `parse_header`).
The part after it is the text of the message, up to `<|end|>`, `<|call|>` or `<|return|>`. The last two also
end the completion, so engines usually do not pass them on.

`docs/format.md` of openai/harmony describes well-formed text. Models also forget `<|end|>`, `<|message|>` or
a whole header, leave out the channel, or repeat a part of the header. The reader accepts all of this.
`MessageStart.repairs` names what it corrected in a header.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from ..completion import Logprob, Piece
from .conversation import CHANNELS, Header, Role
from .markers import CALL, CHANNEL, CONSTRAIN, END, MARKER, MESSAGE, RETURN, START


@dataclass(frozen=True, slots=True)
class MessageStart:
    "A message starts: its header is complete. `repairs` names what was wrong with the header."

    header: Header
    repairs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TextDelta:
    "Text of the current message, and the number of its tokens as far as the pieces report it."

    text: str
    tokens: int = 1
    logprobs: tuple[Logprob, ...] = ()


@dataclass(frozen=True, slots=True)
class MessageEnd:
    "The current message ends with this marker, or with the end of the text if it is None."

    marker: str | None


Event = MessageStart | TextDelta | MessageEnd

END_MARKERS = (END, RETURN, CALL)


class HarmonyReader:
    """A `streaming.Translator` that parses one completion: each `Piece` gives the events that it completes.

    The events are messages in order: one `MessageStart`, any number of `TextDelta`, one `MessageEnd`.
    If the prompt ended inside a message, `open_header` is its header. That message has no `MessageStart`.
    If a grammar constrained the text, set `constrained`: the text cannot contain special tokens then, and
    whatever looks like one is text of the message.

    A special token arrives as one piece, or whole inside a longer piece. If the model spells out the same
    characters, they arrive in several pieces and are text. Therefore pieces that spell out a special token
    must not be joined before `feed`.
    """

    def __init__(self, open_header: Header | None = None, *, constrained: bool = False) -> None:
        self._in_message = open_header is not None
        self._constrained = constrained
        # The part of the next header that has arrived, without START and MESSAGE.
        self._header_text = ""

    def feed(self, piece: Piece, /) -> Iterator[Event]:
        parts = [(piece.text, piece.logprobs)] if self._constrained else _split_at_markers(piece)
        for text, logprobs in parts:
            if not self._constrained and MARKER.fullmatch(text):
                yield from self._marker(text)
            elif self._in_message:
                # A piece that the engine joined from several has no marker in it.
                tokens = piece.tokens if text == piece.text else 1
                yield TextDelta(text, max(tokens, len(logprobs)), logprobs)
            else:
                self._header_text += text

    def finish(self) -> Iterator[Event]:
        if self._in_message:
            self._in_message = False
            yield MessageEnd(None)
        else:
            yield from self._message_without_marker(None)

    def _marker(self, marker: str) -> Iterator[Event]:
        if self._in_message:
            yield from self._marker_in_message(marker)
        elif marker == MESSAGE:
            self._in_message = True
            yield MessageStart(*parse_header(self._header_text))
        elif marker in (CHANNEL, CONSTRAIN):
            self._header_text += marker
        else:
            yield from self._message_without_marker(END if marker == START else marker)

    def _marker_in_message(self, marker: str) -> Iterator[Event]:
        """End the current message. Before START and CHANNEL, which begin a header, `<|end|>` was forgotten.

        MESSAGE and CONSTRAIN have no meaning inside a message and are dropped.
        """
        if marker in (MESSAGE, CONSTRAIN):
            return
        self._in_message = False
        self._header_text = marker if marker == CHANNEL else ""
        yield MessageEnd(marker if marker in END_MARKERS else END)

    def _message_without_marker(self, end: str | None) -> Iterator[Event]:
        "Yield the message whose `<|message|>` is missing: all its text was collected as header text."
        header, text = _split_header(self._header_text)
        self._header_text = ""
        if text.strip():
            yield MessageStart(header, ("header's end missing" if header.channel else "header missing",))
            yield TextDelta(text)
            yield MessageEnd(end)


# Models write few different headers.
@lru_cache(maxsize=128)
def parse_header(text: str) -> tuple[Header, tuple[str, ...]]:
    """Parse the text between `<|start|>` and `<|message|>`. Return the header and the repairs.

    The parts may come in any order: `docs/format.md` has the recipient before the channel and after it.
    """
    words = [(str(match.lastgroup), match[match.lastgroup or 0]) for match in _WORD.finditer(text)]
    channel, recipient, content_type = _first(words, "channel"), _first(words, "to"), _first(words, "type")
    role, name, bare = _author([word for group, word in words if group == "bare"], recipient)
    repairs = []
    if [group for group, _ in words].count("channel") > 1:
        repairs.append("channel named twice")
    if [group for group, _ in words].count("role") > 1:
        repairs.append("role named twice")
    if channel is None and bare and bare[0] in CHANNELS:
        channel = bare.pop(0)
    if role == "assistant" and (channel is None or CHANNEL not in text):
        repairs.append("channel missing")
    if role == "assistant" and recipient and not recipient.startswith("functions."):
        repairs.append("recipient without functions.")
    if content_type is not None:
        content_type = CONSTRAIN + content_type
    elif bare and (channel or recipient):
        content_type = bare.pop(0)
    return Header(role, channel, recipient, content_type, name), tuple(repairs)


def _split_header(text: str) -> tuple[Header, str]:
    "Split text whose `<|message|>` is missing into the header that it begins with and the message's text."
    end = 0
    for match in _WORD.finditer(text):
        if match.lastgroup == "bare":
            break
        end = match.end()
    header, _ = parse_header(text[:end])
    rest = text[end:]
    return header, _CONTENT_TYPE.sub("", rest) if header.channel or header.recipient else rest


# The parts of a header. Models leave out the space between two of them.
_WORD = re.compile(
    rf"{re.escape(CHANNEL)}\s*(?P<channel>\w*?)(?=to=|\W|$)"
    rf"|{re.escape(CONSTRAIN)}\s*(?P<type>[^\s<{{]*)"
    r"|to=\s*(?P<to>[^\s<{]+)"
    r"|(?P<role>assistant)"
    r"|(?P<bare>[^\s<]+)"
)
_CONTENT_TYPE = re.compile(r"^\s*(?:(?:json|code)\b\s*)?")
_ROLES: dict[str, Role] = {"user": "user", "system": "system", "developer": "developer", "tool": "tool"}


def _first(words: list[tuple[str, str]], group: str) -> str | None:
    "Return the first word of the group that is not empty."
    return next((word for word_group, word in words if word_group == group and word), None)


def _author(bare: list[str], recipient: str | None) -> tuple[Role, str | None, list[str]]:
    """Return role and name of the author, and the bare words that are left.

    The author is not always the assistant: a model that does not stop after its message may write messages of
    the user or of tools too.
    """
    first, *others = bare or [""]
    role, _, name = first.partition(":")
    if role in _ROLES:
        return _ROLES[role], name or None, others
    if first.startswith("functions.") or (first and recipient == "assistant"):
        return "tool", first, others
    return "assistant", None, bare


def _split_at_markers(piece: Piece) -> Iterator[tuple[str, tuple[Logprob, ...]]]:
    "Yield the texts and markers of a piece in order, each with the log probabilities of its tokens."
    texts, tokens = [text for text in _MARKERS.split(piece.text) if text], list(piece.logprobs)
    for text in texts[:-1]:
        own: list[Logprob] = []
        while tokens and len("".join(logprob.token for logprob in own)) < len(text):
            own.append(tokens.pop(0))
        yield text, tuple(own)
    for text in texts[-1:]:
        yield text, tuple(tokens)


_MARKERS = re.compile(f"({MARKER.pattern})")
