"Split the text of a stream where tokens end, to tell markers from text that spells them out."

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from ...completion import Completion, Logprob, Piece
from ...harmony.markers import (
    CHANNEL,
    CONSTRAIN,
    END,
    MARKER,
    MARKERS,
    MESSAGE,
    START,
    length_before_partial_marker,
)

# The markers in the header of a message.
HEADER_MARKERS = (CHANNEL, CONSTRAIN, MESSAGE)
# How servers write a byte that is not a character by itself.
PART_OF_CHARACTER = "\ufffd"
# The most characters that wait for the token after one whose text is unknown. No token is nearly as long.
MAX_WAITING = 10_000


class Token(NamedTuple):
    """A token that a server reported.

    `text` is None if the server does not report it. A part of a character is reported as U+FFFD, or as "" if
    a later token has the whole character.
    """

    text: str | None
    logprob: Logprob | None = None


def holds_text_back(completion: Completion) -> bool:
    """Whether the server may hold back text in which markers have to be recognized.

    Servers hold text back if it may be the beginning of a stop string. Then Ollama and llama.cpp send several
    tokens as one piece, and vLLM splits them anywhere. With a grammar nothing is a marker.
    """
    return bool(completion.stop) and completion.format is None


def needs_tokens(completion: Completion) -> bool:
    """Whether Ollama or llama.cpp has to report the tokens of its text.

    They hold back only text that may be the beginning of a stop string. If all stop strings are markers, they
    hold back no other marker.
    """
    return holds_text_back(completion) and any(stop not in MARKERS for stop in completion.stop)


class TokenSplitter:
    """Splits a completion's text into pieces. A special token is always a piece by itself.

    `feed` takes text as it arrives, and the tokens reported with it. Text never arrives before its tokens.
    `flush` ends the text of all tokens so far: if some of it has not arrived, the server cut it. If the text
    of consecutive tokens is unknown, they become one piece, which ends where the next known token begins.

    A server may report no tokens, tokens that do not match its text, or several tokens as one. Then a marker
    and text that spells it out cannot be told apart, and both count as a marker, except for the markers of a
    header inside a message. Otherwise a message could contain the header of a tool call.
    """

    def __init__(self, completion: Completion) -> None:
        self._returns_logprobs = completion.top_logprobs is not None
        self._may_cut_markers = holds_text_back(completion)
        self._text = ""
        self._tokens: list[Token] = []
        # How much of the text and how many of the tokens were taken.
        self._start = self._first = 0
        self._tokens_spell_text = True
        self._in_message = _ends_in_message(completion.prompt)

    def feed(self, text: str, tokens: Iterable[Token] = ()) -> Iterator[Piece]:
        for piece in self._feed(text, tokens):
            if piece.text in MARKERS:
                self._in_message = piece.text == MESSAGE
            yield piece

    def _feed(self, text: str, tokens: Iterable[Token]) -> Iterator[Piece]:
        self._text = self._text[self._start :] + text
        self._tokens = [*self._tokens[self._first :], *tokens]
        self._start = self._first = 0
        if self._tokens_spell_text:
            yield from self._split_at_tokens()
        if not self._tokens_spell_text:
            text = self._text[self._start :]
            length = length_before_partial_marker(text) if self._may_cut_markers else len(text)
            if length:
                yield from self._split(self._take(length, len(self._tokens) - self._first))

    def restore(self) -> Iterator[Piece]:
        "Yield the text of the remaining tokens as the server reported it, if no text remains."
        if self._first < len(self._tokens) and not self._has_text:
            yield from self.feed("".join(token.text or "" for token in self._tokens[self._first :]))

    def flush(self) -> Iterator[Piece]:
        "Yield the remaining text: the part of a token before a stop string. It has no log probability."
        if self._has_text:
            yield from _as_text(self._take(len(self._text) - self._start, 0))
        self._first = len(self._tokens)
        self._tokens_spell_text = True

    @property
    def _has_text(self) -> bool:
        return self._start < len(self._text)

    def _split_at_tokens(self) -> Iterator[Piece]:
        while self._has_text:
            unknown, min_length = self._unknown_tokens()
            if self._first + unknown == len(self._tokens):
                self._tokens_spell_text = unknown > 0
                if unknown:
                    yield from _as_text(self._take(len(self._text) - self._start, unknown))
                return
            known = self._tokens[self._first + unknown].text or ""
            at = self._text.find(known, self._start + min_length)
            if unknown and at > self._start:
                yield from _as_text(self._take(at - self._start, unknown))
            elif at == self._start:
                yield from self._split(self._take(len(known), unknown + 1))
            else:
                # The text of the known token has not arrived completely, unless it is another text.
                waits = self._text[self._start :]
                self._tokens_spell_text = len(waits) < MAX_WAITING if unknown else known.startswith(waits)
                return

    def _split(self, piece: Piece) -> Iterator[Piece]:
        "Yield the markers in the piece, and the text between them."
        are_tokens = self._tokens_spell_text or not self._may_cut_markers
        for part in split_at_markers(piece):
            is_token = part is piece and are_tokens
            if self._in_message and not is_token and part.text in HEADER_MARKERS:
                yield from _as_text(part)
            else:
                yield part

    def _unknown_tokens(self) -> tuple[int, int]:
        "Return the number of tokens before the first known one, and the minimum length of their text."
        count = min_length = 0
        for index in range(self._first, len(self._tokens)):
            text = self._tokens[index].text
            if text and PART_OF_CHARACTER not in text:
                break
            count += 1
            min_length += 1 if text is None else len(text) - text.count(PART_OF_CHARACTER)
        return count, min_length

    def _take(self, length: int, count: int) -> Piece:
        "Take text and tokens from the buffers."
        start, first = self._start, self._first
        self._start, self._first = start + length, first + count
        logprobs = tuple(token.logprob for token in self._tokens[first : self._first] if token.logprob)
        text = self._text[start : self._start]
        return Piece(text, logprobs if self._returns_logprobs else (), max(1, count))


def split_at_markers(piece: Piece) -> Iterator[Piece]:
    "Yield the markers in the piece, and the text between them, each with its log probabilities."
    texts = [text for text in _MARKERS.split(piece.text) if text] if "<|" in piece.text else ()
    if len(texts) < 2:
        yield piece
        return
    logprobs, tokens = iter(piece.logprobs), piece.tokens
    for text in texts[:-1]:
        own: list[Logprob] = []
        length = 0
        while length < len(text) and (logprob := next(logprobs, None)):
            own.append(logprob)
            length += len(logprob.token)
        yield (part := Piece(text, tuple(own), max(1, len(own))))
        tokens -= part.tokens
    yield Piece(texts[-1], tuple(logprobs), max(1, tokens))


def _as_text(piece: Piece) -> Iterator[Piece]:
    "Yield the piece, in two parts if it would otherwise count as a marker."
    if piece.text in MARKERS:
        yield Piece(piece.text[:1])
        piece = Piece(piece.text[1:], piece.logprobs, max(1, piece.tokens - 1))
    yield piece


def _ends_in_message(prompt: str) -> bool:
    "Whether a prompt ends inside the text of a message."
    return prompt.rfind(MESSAGE) > max(prompt.rfind(marker) for marker in (START, CHANNEL, END))


_MARKERS = re.compile(f"({MARKER.pattern})")
