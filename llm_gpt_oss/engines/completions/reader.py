"The stream of `/v1/completions`: its events in, pieces and the end of the completion out."

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ...completion import Completion, Done, Json, Logprob, Piece
from ..http.counts import milliseconds, token_count
from ..http.server_errors import empty_stream, unexpected_event, unfinished_stream
from ..http.token_splitter import Token, TokenSplitter
from ..llama_server.reader import parse_logprob


class TextReader:
    """A `Translator` from events to pieces and one Done.

    Raises StreamCut for an event of an unexpected form and for a stream without a reason for its end,
    EmptyStream for one without any event.
    """

    def __init__(self, server_name: str, completion: Completion) -> None:
        self._server_name = server_name
        self._top_logprobs = completion.top_logprobs or 0
        self._splitter = TokenSplitter(completion)
        self._finish_reason: str | None = None
        self._has_events = False
        self._usage: Json = {}
        self._timings: Json = {}

    def feed(self, event: Json, /) -> Iterator[Piece | Done]:
        self._has_events = True
        try:
            # The usage is in the event with the finish reason, or in one after it.
            self._usage = {**(event.get("usage") or self._usage)}
            self._timings = {**(event.get("timings") or self._timings)}
            for choice in event["choices"]:
                yield from self._pieces(choice)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise unexpected_event(self._server_name, event) from error

    def finish(self) -> Sequence[Piece | Done]:
        if not self._has_events:
            raise empty_stream(self._server_name)
        if self._finish_reason is None:
            raise unfinished_stream(self._server_name)
        done = Done(
            "length" if self._finish_reason == "length" else "stop",
            prompt_tokens=token_count(self._usage.get("prompt_tokens")),
            completion_tokens=token_count(self._usage.get("completion_tokens")),
            # Only llama.cpp's server reports times.
            prompt_ms=milliseconds(self._timings.get("prompt_ms")),
            completion_ms=milliseconds(self._timings.get("predicted_ms")),
        )
        return [*self._splitter.flush(), done]

    def _pieces(self, choice: Mapping[str, Any]) -> Iterator[Piece]:
        self._finish_reason = choice.get("finish_reason") or self._finish_reason
        logprobs = parse_logprobs(choice.get("logprobs"), self._top_logprobs)
        tokens = [Token(logprob.token, logprob) for logprob in logprobs]
        yield from self._splitter.feed(choice["text"] or "", tokens)


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
