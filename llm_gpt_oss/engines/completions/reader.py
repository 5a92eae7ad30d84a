"Events of `/v1/completions` to the pieces and the end of a completion."

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ...completion import Done, Json, Logprob, Piece
from ...errors import EmptyStream, StreamCut
from ...harmony.markers import length_before_partial_marker
from ..http.connection import Endpoint
from ..http.server_errors import to_error
from ..llama_server.reader import logprob


class TokenRealigner:
    """Makes tokens again of the text that vLLM sends under stop strings.

    It withholds one character fewer than the longest stop string has, and sends the rest cut anywhere; a
    token is told when it is made, before its text. From the first one on that does not spell the text (there
    are versions that tell a part of a character as U+FFFD, and servers that tell none) pieces are cut
    anywhere but within a marker.
    """

    def __init__(self) -> None:
        self._text = ""
        self._tokens: list[Logprob] = []
        self._spelled = True

    def feed(self, text: str, tokens: Sequence[Logprob]) -> Iterator[Piece]:
        self._text += text
        self._tokens += tokens
        while self._spelled and (end := self._complete()):
            yield self._piece(len(self._tokens[end - 1].token), end)
        if not self._spelled and (length := length_before_partial_marker(self._text)):
            yield self._piece(length, len(self._tokens))

    def finish(self) -> Iterator[Piece]:
        "What the stop string left of a token, which so has no log probability."
        if self._text:
            yield self._piece(len(self._text), 0)

    def _complete(self) -> int:
        "How many tokens make the next one with text, if that is there: a character's first parts have none."
        for end, token in enumerate((each.token for each in self._tokens), 1):
            if token:
                self._spelled = token.startswith(self._text[: len(token)])
                return end if self._spelled and len(token) <= len(self._text) else 0
        self._spelled = not self._text
        return 0

    def _piece(self, length: int, end: int) -> Piece:
        piece = Piece(self._text[:length], tuple(self._tokens[:end]))
        self._text, self._tokens = self._text[length:], self._tokens[end:]
        return piece


class TextReader:
    """Events in, pieces out, then Done. The usage comes in the last event, or behind it.

    `held`: the server holds text back, and was asked for the tokens because of that."""

    def __init__(self, peer: Endpoint, rivals: int | None, *, held: bool = False) -> None:
        self._peer = peer
        self._rivals = rivals
        self._held = TokenRealigner() if held else None
        self._reason: str | None = None
        self._begun = False
        self._usage: Json = {}
        self._times: Json = {}

    def feed(self, event: Json, /) -> Iterator[Piece | Done]:
        if "error" in event or event.get("object") == "error":
            raise to_error(self._peer, None, event)
        self._begun = True
        self._usage = event.get("usage") or self._usage
        self._times = event.get("timings") or self._times
        try:
            for choice in event["choices"]:
                self._reason = choice.get("finish_reason") or self._reason
                text, told = choice["text"] or "", choice.get("logprobs")
                if self._held:
                    yield from map(self._asked, self._held.feed(text, logprobs(told, self._rivals or 0)))
                elif text:
                    yield Piece(text, logprobs(told, self._rivals or 0))
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise StreamCut(f"{self._peer.name} sent an event of another form: {error!r}.") from error

    def finish(self) -> Iterator[Piece | Done]:
        if not self._begun:
            raise EmptyStream(f"{self._peer.name} answered without a single word.", remedy="Ask again.")
        if self._reason is None:
            raise StreamCut(f"{self._peer.name}'s answer ended in the middle.", remedy="Ask again.")
        if self._held:
            yield from map(self._asked, self._held.finish())
        yield Done(
            "length" if self._reason == "length" else "stop",
            prompt_tokens=self._usage.get("prompt_tokens"),
            completion_tokens=self._usage.get("completion_tokens"),
            # Only llama.cpp's server tells.
            prompt_ms=self._times.get("prompt_ms"),
            completion_ms=self._times.get("predicted_ms"),
        )

    def _asked(self, piece: Piece) -> Piece:
        return piece if self._rivals is not None else Piece(piece.text)


def logprobs(told: Mapping[str, Any] | None, rivals: int) -> tuple[Logprob, ...]:
    "In OpenAI's first form, as vLLM has it, or in the later one of chats, as llama.cpp's server."
    if not told:
        return ()
    if "content" in told:
        return tuple(logprob(token, rivals) for token in told["content"] or ())
    tokens, values = told["tokens"] or (), told.get("token_logprobs") or ()
    each = zip(tokens, values, told.get("top_logprobs") or [None] * len(tokens), strict=True)
    return tuple(Logprob(token, value, None, _top(top, rivals)) for token, value, top in each)


def _top(told: Mapping[str, float] | None, rivals: int) -> tuple[Logprob, ...]:
    ranked = sorted((told or {}).items(), key=lambda rival: -rival[1])
    return tuple(Logprob(token, value) for token, value in ranked[:rivals])
