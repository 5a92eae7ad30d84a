"The stream of `/v1/completions`: its events in, pieces and the end of the completion out."

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ...completion import Done, Json, Logprob, Piece
from ...harmony.markers import length_before_partial_marker
from ..http.server_errors import empty_stream, unexpected_event, unfinished_stream
from ..llama_server.reader import parse_logprob


class TokenRealigner:
    """Splits the text of vLLM at the ends of its tokens, where vLLM does not because of stop strings.

    With stop strings, vLLM holds back as many characters as the longest of them has, less one, and splits the
    rest anywhere. It reports each token when it is generated, which is before its text is sent. Some versions
    report a part of a character as U+FFFD, and some servers report no tokens. Once a token does not match the
    text, the remaining text is split anywhere except inside a marker.
    """

    def __init__(self) -> None:
        self._text = ""
        self._tokens: list[Logprob] = []
        self._tokens_spell_text = True

    def feed(self, text: str, tokens: Sequence[Logprob]) -> Iterator[Piece]:
        self._text += text
        self._tokens += tokens
        while self._tokens_spell_text and (count := self._complete_tokens()):
            yield self._piece(len(self._tokens[count - 1].token), count)
        if not self._tokens_spell_text and (length := length_before_partial_marker(self._text)):
            yield self._piece(length, len(self._tokens))

    def finish(self) -> Iterator[Piece]:
        "Yield the remaining text: the part of a token before a stop string. It has no log probability."
        if self._text:
            yield self._piece(len(self._text), 0)

    def _complete_tokens(self) -> int:
        """Return how many tokens the next piece has, or 0 if its text is not complete.

        The last of them has the text. Tokens before it are the first parts of a character and have no text.
        """
        for count, token in enumerate((token.token for token in self._tokens), 1):
            if token:
                self._tokens_spell_text = token.startswith(self._text[: len(token)])
                return count if self._tokens_spell_text and len(token) <= len(self._text) else 0
        self._tokens_spell_text = not self._text
        return 0

    def _piece(self, length: int, tokens: int) -> Piece:
        piece = _piece(self._text[:length], tuple(self._tokens[:tokens]))
        self._text, self._tokens = self._text[length:], self._tokens[tokens:]
        return piece


class TextReader:
    """A `Translator` from events to pieces and one Done.

    `top_logprobs` is the number of requested alternatives for each token, None if no log probabilities were
    requested. `realign` says that the server splits its text anywhere, and reports the tokens. Raises
    StreamCut for an event of an unexpected form and for a stream without a reason for its end, EmptyStream
    for one without any event.
    """

    def __init__(self, server_name: str, top_logprobs: int | None, *, realign: bool = False) -> None:
        self._server_name = server_name
        self._top_logprobs = top_logprobs
        self._realigner = TokenRealigner() if realign else None
        self._finish_reason: str | None = None
        self._has_events = False
        self._usage: Json = {}
        self._timings: Json = {}

    def feed(self, event: Json, /) -> Sequence[Piece | Done]:
        self._has_events = True
        # The usage is in the event with the finish reason, or in one after it.
        self._usage = event.get("usage") or self._usage
        self._timings = event.get("timings") or self._timings
        try:
            return [piece for choice in event["choices"] for piece in self._pieces(choice)]
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise unexpected_event(self._server_name, event) from error

    def finish(self) -> Sequence[Piece | Done]:
        if not self._has_events:
            raise empty_stream(self._server_name)
        if self._finish_reason is None:
            raise unfinished_stream(self._server_name)
        rest = map(self._requested, self._realigner.finish()) if self._realigner else ()
        done = Done(
            "length" if self._finish_reason == "length" else "stop",
            prompt_tokens=self._usage.get("prompt_tokens"),
            completion_tokens=self._usage.get("completion_tokens"),
            # Only llama.cpp's server reports times.
            prompt_ms=self._timings.get("prompt_ms"),
            completion_ms=self._timings.get("predicted_ms"),
        )
        return [*rest, done]

    def _pieces(self, choice: Mapping[str, Any]) -> Iterator[Piece]:
        self._finish_reason = choice.get("finish_reason") or self._finish_reason
        text = choice["text"] or ""
        logprobs = parse_logprobs(choice.get("logprobs"), self._top_logprobs or 0)
        if self._realigner:
            yield from map(self._requested, self._realigner.feed(text, logprobs))
        elif text:
            yield _piece(text, logprobs)

    def _requested(self, piece: Piece) -> Piece:
        "Return the piece without log probabilities if they were requested only to split the text."
        return piece if self._top_logprobs is not None else Piece(piece.text)


def _piece(text: str, logprobs: tuple[Logprob, ...]) -> Piece:
    return Piece(text, logprobs, max(1, len(logprobs)))


def parse_logprobs(logprobs: Mapping[str, Any] | None, top_logprobs: int) -> tuple[Logprob, ...]:
    "Parse the form of OpenAI's completion API, which vLLM uses, or that of its chats, which llama.cpp uses."
    if not logprobs:
        return ()
    if "content" in logprobs:
        return tuple(parse_logprob(token, top_logprobs) for token in logprobs["content"] or ())
    tokens, values = logprobs["tokens"] or (), logprobs.get("token_logprobs") or ()
    alternatives = logprobs.get("top_logprobs") or [None] * len(tokens)
    return tuple(
        Logprob(token, value, None, _top(top, top_logprobs))
        for token, value, top in zip(tokens, values, alternatives, strict=True)
    )


def _top(alternatives: Mapping[str, float] | None, top_logprobs: int) -> tuple[Logprob, ...]:
    ranked = sorted((alternatives or {}).items(), key=lambda item: -item[1])
    return tuple(Logprob(token, value) for token, value in ranked[:top_logprobs])
