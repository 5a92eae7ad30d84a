"Events of `/v1/completions` to the pieces and the end of a completion."

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ...completion import Done, Json, Logprob, Piece
from ...errors import EmptyStream, StreamCut
from ..connection import Peer
from ..llama_server.reader import logprob
from ..refusal import refusal


class TextReader:
    "Events in, pieces out, then Done. The usage comes in the last event, or behind it."

    def __init__(self, peer: Peer, rivals: int | None) -> None:
        self._peer = peer
        self._rivals = rivals or 0
        self._reason: str | None = None
        self._begun = False
        self._usage: Json = {}
        self._times: Json = {}

    def feed(self, event: Json, /) -> Iterator[Piece | Done]:
        if "error" in event or event.get("object") == "error":
            raise refusal(self._peer, None, event)
        self._begun = True
        self._usage = event.get("usage") or self._usage
        self._times = event.get("timings") or self._times
        try:
            for choice in event["choices"]:
                self._reason = choice.get("finish_reason") or self._reason
                if text := choice["text"]:
                    yield Piece(text, logprobs(choice.get("logprobs"), self._rivals))
        except (KeyError, TypeError, AttributeError) as error:
            raise StreamCut(f"{self._peer.name} sent an event of another form: {error!r}.") from error

    def finish(self) -> Iterator[Piece | Done]:
        if not self._begun:
            raise EmptyStream(f"{self._peer.name} answered without a single word.", remedy="Ask again.")
        if self._reason is None:
            raise StreamCut(f"{self._peer.name}'s answer ended in the middle.", remedy="Ask again.")
        yield Done(
            "length" if self._reason == "length" else "stop",
            prompt_tokens=self._usage.get("prompt_tokens"),
            completion_tokens=self._usage.get("completion_tokens"),
            # Only llama.cpp's server tells.
            prompt_ms=self._times.get("prompt_ms"),
            completion_ms=self._times.get("predicted_ms"),
        )


def logprobs(told: Mapping[str, Any] | None, rivals: int) -> tuple[Logprob, ...]:
    "In OpenAI's first form, as vLLM has it, or in the later one of chats, as llama.cpp's server."
    if not told:
        return ()
    if "content" in told:
        return tuple(logprob(token, rivals) for token in told["content"])
    tops = told.get("top_logprobs") or [None] * len(told["tokens"])
    each = zip(told["tokens"], told["token_logprobs"], tops, strict=True)
    return tuple(Logprob(token, value, None, _top(top, rivals)) for token, value, top in each)


def _top(told: Mapping[str, float] | None, rivals: int) -> tuple[Logprob, ...]:
    ranked = sorted((told or {}).items(), key=lambda rival: -rival[1])
    return tuple(Logprob(token, value) for token, value in ranked[:rivals])
