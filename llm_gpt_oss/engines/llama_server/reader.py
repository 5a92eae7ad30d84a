"The stream of llama.cpp's `/completion`: its events in, pieces and the end of the completion out."

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest

from ...completion import Completion, Done, Json, Logprob, Piece
from ..http.counts import milliseconds, token_count
from ..http.server_errors import empty_stream, unexpected_event, unfinished_stream
from ..http.token_splitter import Token, TokenSplitter, needs_tokens


class CompletionReader:
    """A `Translator` from events to pieces and one Done.

    `markers` are the ids of harmony's markers. Raises StreamCut for an event of an unexpected form and for a
    stream without a last event, EmptyStream for one without any event.
    """

    def __init__(self, server_name: str, completion: Completion, markers: Mapping[int, str]) -> None:
        self._server_name = server_name
        self._top_logprobs = completion.top_logprobs or 0
        self._needs_ids = needs_tokens(completion)
        self._markers = markers
        self._splitter = TokenSplitter(completion)
        self._has_events = self._is_done = False

    def feed(self, event: Json, /) -> Iterator[Piece | Done]:
        self._has_events = True
        try:
            yield from self._splitter.feed(event["content"], self._tokens(event))
            if event["content"]:
                # The event has the text of all tokens so far.
                yield from self._splitter.flush()
            if event.get("stop"):
                self._is_done = True
                yield _done(event)
        except (KeyError, TypeError, AttributeError) as error:
            raise unexpected_event(self._server_name, event) from error

    def finish(self) -> Sequence[Piece | Done]:
        if not self._has_events:
            raise empty_stream(self._server_name)
        if not self._is_done:
            raise unfinished_stream(self._server_name)
        return ()

    def _tokens(self, event: Json) -> list[Token]:
        """Return the tokens of this event.

        A log probability contains the text of its token, but if text was held back, it contains all of that
        text. Then the ids of the tokens show which of them are markers.
        """
        probabilities = event.get("completion_probabilities") or ()
        logprobs = [parse_logprob(token, self._top_logprobs) for token in probabilities]
        ids = event.get("tokens") if self._needs_ids else None
        if not ids:
            return [Token(logprob.token, logprob) for logprob in logprobs]
        return [Token(self._markers.get(id_), logprob) for id_, logprob in zip_longest(ids, logprobs)]


def _done(event: Json) -> Done:
    timings: Json = event.get("timings") or {}
    return Done(
        "length" if event.get("stop_type") == "limit" else "stop",
        prompt_tokens=token_count(event.get("tokens_evaluated")),
        completion_tokens=token_count(event.get("tokens_predicted")),
        prompt_ms=milliseconds(timings.get("prompt_ms")),
        completion_ms=milliseconds(timings.get("predicted_ms")),
    )


def parse_logprob(token: Json, top_logprobs: int) -> Logprob:
    "Parse a token with at most `top_logprobs` alternatives, which have no alternatives themselves."
    return Logprob(
        token["token"],
        token["logprob"],
        tuple(token["bytes"]) if token.get("bytes") is not None else None,
        tuple(parse_logprob(other, 0) for other in (token.get("top_logprobs") or ())[:top_logprobs]),
    )
