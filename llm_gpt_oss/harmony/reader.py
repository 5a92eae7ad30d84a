"""The model's own text, read back: pieces in, messages out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from ..completion import Logprob, Piece
from .conversation import CHANNELS, Header, Role
from .markers import CALL, CHANNEL, CONSTRAIN, END, MARKER, MESSAGE, RETURN, START


@dataclass(frozen=True, slots=True)
class Opened:
    "A message begins. `slips` says what had to be mended in its header."

    header: Header
    slips: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Said:
    "Text of the open message, in `tokens` tokens as far as the pieces tell."

    text: str
    tokens: int = 1
    logprobs: tuple[Logprob, ...] = ()


@dataclass(frozen=True, slots=True)
class Closed:
    "The open message ends: at this marker, or None where the text just stops, cut or at its end."

    marker: str | None


Event = Opened | Said | Closed

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
        parts = [piece.text] if self._bound else [part for part in _split(piece.text) if part]
        whole = len(parts) == 1
        for part in parts:
            if not self._bound and MARKER.fullmatch(part):
                yield from self._marker(part)
            elif not self._open:
                self._heading += part
            elif whole:
                yield Said(part, max(1, len(piece.logprobs)), piece.logprobs)
            else:
                yield Said(part)

    def finish(self) -> Iterator[Event]:
        if self._open:
            self._open = False
            yield Closed(None)
        else:
            yield from self._headless(None)

    def _marker(self, marker: str) -> Iterator[Event]:
        if self._open:
            yield from self._marker_in_text(marker)
        elif marker == MESSAGE:
            self._open = True
            header, _, slips = parse_header(self._heading)
            yield Opened(header, slips)
        elif marker == START:
            self._heading = ""
        elif marker in ENDS:
            yield from self._headless(marker)
        else:
            self._heading += marker

    def _marker_in_text(self, marker: str) -> Iterator[Event]:
        "MESSAGE and CONSTRAIN mean nothing here; START and CHANNEL begin a header after a forgotten end."
        if marker in (MESSAGE, CONSTRAIN):
            return
        self._open = False
        self._heading = marker if marker == CHANNEL else ""
        yield Closed(marker if marker in ENDS else END)

    def _headless(self, marker: str | None) -> Iterator[Event]:
        "What stood where a header should, and was text: an answer that forgot its header."
        header, rest, _ = parse_header(self._heading)
        self._heading = ""
        if rest.strip():
            yield Opened(header, ("header missing",))
            yield Said(rest)
            yield Closed(marker)


def parse_header(heading: str) -> tuple[Header, str, tuple[str, ...]]:
    """The header that stands between START and MESSAGE, its parts in any order; the words that are no part of
    one; and the slips that were mended on the way."""
    words = [(str(match.lastgroup), match[match.lastgroup or 0]) for match in _WORD.finditer(heading)]
    channel, recipient, content_type = _first(words, "channel"), _first(words, "to"), _first(words, "type")
    role, name, bare = _author([word for kind, word in words if kind == "bare"])
    slips = []
    if [kind for kind, _ in words].count("channel") > 1:
        slips.append("channel named twice")
    if [kind for kind, _ in words].count("role") > 1:
        slips.append("role named twice")
    if channel is None and bare and bare[0] in CHANNELS:
        channel = bare.pop(0)
    if channel is None or CHANNEL not in heading:
        slips.append("channel missing")
    if role == "assistant" and recipient and not recipient.startswith("functions."):
        slips.append("recipient without functions.")
    if content_type is None and bare and (channel or recipient):
        content_type = bare.pop(0)
    elif content_type is not None:
        content_type = CONSTRAIN + content_type
    rest = "" if channel or recipient else _ROLE.sub("", heading)
    return Header(role, channel or None, recipient, content_type, name), rest, tuple(slips)


_WORD = re.compile(
    rf"{re.escape(CHANNEL)}\s*(?P<channel>\w*)"
    rf"|{re.escape(CONSTRAIN)}\s*(?P<type>[^\s<]*)"
    r"|to=\s*(?P<to>[^\s<]+)"
    r"|(?P<role>assistant)"
    r"|(?P<bare>[^\s<]+)"
)
_ROLE = re.compile(r"^(?:assistant)+")
_ROLES: dict[str, Role] = {"user": "user", "system": "system", "developer": "developer", "tool": "tool"}


def _first(words: list[tuple[str, str]], kind: str) -> str | None:
    return next((word for found, word in words if found == kind and word), None)


def _author(bare: list[str]) -> tuple[Role, str | None, list[str]]:
    "A model that goes on past its own message may speak for others."
    if bare and bare[0] in _ROLES:
        return _ROLES[bare[0]], None, bare[1:]
    if bare and bare[0].startswith("functions."):
        return "tool", bare[0], bare[1:]
    return "assistant", None, bare


def _split(text: str) -> list[str]:
    "Text and markers in turn; most pieces have nothing to split."
    if "<|" not in text:
        return [text]
    ends = [0]
    for match in MARKER.finditer(text):
        ends += match.span()
    ends.append(len(text))
    return [text[a:b] for a, b in pairwise(ends)]
