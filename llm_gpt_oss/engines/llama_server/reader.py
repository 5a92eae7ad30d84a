"Events of llama.cpp's `/completion` to the pieces and the end of a completion."

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ...completion import Done, Json, Logprob, Piece
from ...errors import EmptyStream, StreamCut
from ..http.connection import Endpoint
from ..http.server_errors import to_error


class CompletionReader:
    "Events in, pieces out, then Done. An event that is an error is raised as what it means."

    def __init__(self, peer: Endpoint, rivals: int | None) -> None:
        self._peer = peer
        self._rivals = rivals or 0
        self._begun = self._ended = False

    def feed(self, event: Json, /) -> Iterator[Piece | Done]:
        if "error" in event:
            raise to_error(self._peer, None, event)
        self._begun = True
        try:
            if text := event["content"]:
                told = event.get("completion_probabilities")
                yield Piece(text, tuple(logprob(one, self._rivals) for one in told)) if told else Piece(text)
            if event.get("stop"):
                self._ended = True
                yield done(event)
        except (KeyError, TypeError, AttributeError) as error:
            raise StreamCut(f"{self._peer.name} sent an event of another form: {error!r}.") from error

    def finish(self) -> Iterator[Piece | Done]:
        if not self._begun:
            raise EmptyStream(f"{self._peer.name} answered without a single word.", remedy="Ask again.")
        if not self._ended:
            raise StreamCut(f"{self._peer.name}'s answer ended in the middle.", remedy="Ask again.")
        yield from ()


def done(event: Json) -> Done:
    times: Json = event.get("timings") or {}
    return Done(
        "length" if event.get("stop_type") == "limit" else "stop",
        prompt_tokens=event.get("tokens_evaluated"),
        completion_tokens=event.get("tokens_predicted"),
        prompt_ms=times.get("prompt_ms"),
        completion_ms=times.get("predicted_ms"),
    )


def logprob(token: dict[str, Any], rivals: int) -> Logprob:
    "Rivals have no rivals of their own."
    return Logprob(
        token["token"],
        token["logprob"],
        tuple(token["bytes"]) if token.get("bytes") is not None else None,
        tuple(logprob(rival, 0) for rival in (token.get("top_logprobs") or ())[:rivals]),
    )
