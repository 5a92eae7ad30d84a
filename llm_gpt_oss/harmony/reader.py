"""The model's own text, read back: pieces in, messages out."""

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
    "A message begins. `slips` says what had to be mended in its header."

    header: Header
    repairs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TextDelta:
    "Text of the open message, in `tokens` tokens as far as the pieces tell."

    text: str
    tokens: int = 1
    logprobs: tuple[Logprob, ...] = ()


@dataclass(frozen=True, slots=True)
class MessageEnd:
    "The open message ends: at this marker, or None where the text just stops, cut or at its end."

    marker: str | None


Event = MessageStart | TextDelta | MessageEnd

ENDS = (END, RETURN, CALL)


class HarmonyReader:
    """A `flow.Translator` from `Piece` to `Event`.

    `opened` is the header of the message that the prompt left open, if it did. `bound` says that a grammar
    binds the text: then nothing in it is a marker, whatever it looks like.

    A piece that is a marker is one; marker text that the model spells out comes in several pieces and is
    text. So pieces are never joined before they are looked at.
    """

    def __init__(self, opened: Header | None = None, *, bound: bool = False) -> None:
        self._open = opened is not None
        self._bound = bound
        self._heading = ""

    def feed(self, piece: Piece, /) -> Iterator[Event]:
        for text, logprobs in [(piece.text, piece.logprobs)] if self._bound else _parts(piece):
            if not self._bound and MARKER.fullmatch(text):
                yield from self._marker(text)
            elif not self._open:
                self._heading += text
            else:
                # A piece that the engine joined from several has no marker in it.
                tokens = piece.tokens if text == piece.text else 1
                yield TextDelta(text, max(tokens, len(logprobs), 1), logprobs)

    def finish(self) -> Iterator[Event]:
        if self._open:
            self._open = False
            yield MessageEnd(None)
        else:
            yield from self._headless(None)

    def _marker(self, marker: str) -> Iterator[Event]:
        if self._open:
            yield from self._marker_in_text(marker)
        elif marker == MESSAGE:
            self._open = True
            yield MessageStart(*parse_header(self._heading))
        elif marker in (CHANNEL, CONSTRAIN):
            self._heading += marker
        else:
            yield from self._headless(END if marker == START else marker)

    def _marker_in_text(self, marker: str) -> Iterator[Event]:
        "MESSAGE and CONSTRAIN mean nothing here; START and CHANNEL begin a header after a forgotten end."
        if marker in (MESSAGE, CONSTRAIN):
            return
        self._open = False
        self._heading = marker if marker == CHANNEL else ""
        yield MessageEnd(marker if marker in ENDS else END)

    def _headless(self, marker: str | None) -> Iterator[Event]:
        "Text where a header should stand: the header was forgotten, or what ends it."
        header, text = _without_end(self._heading)
        self._heading = ""
        if text.strip():
            yield MessageStart(header, ("header's end missing" if header.channel else "header missing",))
            yield TextDelta(text)
            yield MessageEnd(marker)


# Models write the same few headers again and again.
@lru_cache(maxsize=128)
def parse_header(heading: str) -> tuple[Header, tuple[str, ...]]:
    "The header between START and MESSAGE, its parts in any order; and the slips that were mended."
    words = [(str(match.lastgroup), match[match.lastgroup or 0]) for match in _WORD.finditer(heading)]
    channel, recipient, content_type = _first(words, "channel"), _first(words, "to"), _first(words, "type")
    role, name, bare = _author([word for kind, word in words if kind == "bare"], recipient)
    slips = []
    if [kind for kind, _ in words].count("channel") > 1:
        slips.append("channel named twice")
    if [kind for kind, _ in words].count("role") > 1:
        slips.append("role named twice")
    if channel is None and bare and bare[0] in CHANNELS:
        channel = bare.pop(0)
    if role == "assistant" and (channel is None or CHANNEL not in heading):
        slips.append("channel missing")
    if role == "assistant" and recipient and not recipient.startswith("functions."):
        slips.append("recipient without functions.")
    if content_type is not None:
        content_type = CONSTRAIN + content_type
    elif bare and (channel or recipient):
        content_type = bare.pop(0)
    return Header(role, channel, recipient, content_type, name), tuple(slips)


def _without_end(heading: str) -> tuple[Header, str]:
    "The header that the text begins with, though no MESSAGE ends it; and what stands behind it."
    end = 0
    for match in _WORD.finditer(heading):
        if match.lastgroup == "bare":
            break
        end = match.end()
    header, _ = parse_header(heading[:end])
    text = heading[end:]
    return header, _CONTENT_TYPE.sub("", text) if header.channel or header.recipient else text


# What comes behind a word of one kind may be glued to it.
_WORD = re.compile(
    rf"{re.escape(CHANNEL)}\s*(?P<channel>\w*?)(?=to=|\W|$)"
    rf"|{re.escape(CONSTRAIN)}\s*(?P<type>[^\s<{{]*)"
    r"|to=\s*(?P<to>[^\s<{]+)"
    r"|(?P<role>assistant)"
    r"|(?P<bare>[^\s<]+)"
)
_CONTENT_TYPE = re.compile(r"^\s*(?:(?:json|code)\b\s*)?")
_ROLES: dict[str, Role] = {"user": "user", "system": "system", "developer": "developer", "tool": "tool"}


def _first(words: list[tuple[str, str]], kind: str) -> str | None:
    return next((word for found, word in words if found == kind and word), None)


def _author(bare: list[str], recipient: str | None) -> tuple[Role, str | None, list[str]]:
    "A model that goes on past its own message may speak for others."
    first, *others = bare or [""]
    role, _, name = first.partition(":")
    if role in _ROLES:
        return _ROLES[role], name or None, others
    if first.startswith("functions.") or (first and recipient == "assistant"):
        return "tool", first, others
    return "assistant", None, bare


def _parts(piece: Piece) -> Iterator[tuple[str, tuple[Logprob, ...]]]:
    "Text and markers in turn, each with its tokens; most pieces have nothing to split."
    texts, tokens = [text for text in _MARKERS.split(piece.text) if text], list(piece.logprobs)
    for text in texts[:-1]:
        mine: list[Logprob] = []
        while tokens and len("".join(logprob.token for logprob in mine)) < len(text):
            mine.append(tokens.pop(0))
        yield text, tuple(mine)
    for text in texts[-1:]:
        yield text, tuple(tokens)


_MARKERS = re.compile(f"({MARKER.pattern})")
