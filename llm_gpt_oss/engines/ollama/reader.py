"Lines of `/api/generate` to the pieces and the end of a completion."

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from ...completion import Done, Piece
from ...errors import EmptyStream, StreamCut
from .answers import GenerateChunk
from .errors import context_overflow

# Nothing takes longer than a week: Ollama's odd ones are of 292 years, or minus that.
MAX_NANOSECONDS = 7 * 24 * 3600 * 10**9


class GenerateReader:
    "Lines in, pieces out, then Done. A stream that ends before its last line is raised as what became of it."

    def __init__(self) -> None:
        self._last: GenerateChunk | None = None
        self._spoken = False

    def feed(self, line: GenerateChunk, /) -> Iterator[Piece | Done]:
        self._last = line
        if line.text:
            self._spoken = True
            yield Piece(line.text, line.logprobs)
        if line.done:
            yield self._done(line)

    def finish(self) -> Iterator[Piece | Done]:
        if self._last is None:
            # Ollama's way to give up on a model that repeats itself.
            raise EmptyStream(
                "Ollama answered without a single word.", remedy="Ask again, or ask differently."
            )
        if not self._last.done:
            remedy = "The model may have repeated itself, or been stopped: ask again."
            raise StreamCut("Ollama's answer ended in the middle.", remedy=remedy)
        yield from ()

    def _done(self, line: GenerateChunk) -> Done:
        reason: Literal["stop", "length"] = "length" if line.done_reason == "length" else "stop"
        generated = _count(line.completion_tokens)
        if reason == "length" and not self._spoken and not generated:
            # v0.24's way to say that the prompt fills the context: what it counts is what it kept.
            raise context_overflow(context_length=_count(line.prompt_tokens))
        return Done(
            reason,
            prompt_tokens=_count(line.prompt_tokens),
            completion_tokens=generated,
            load_ms=_milliseconds(line.load_ns),
            prompt_ms=_milliseconds(line.prompt_ns),
            completion_ms=_milliseconds(line.completion_ns),
        )


def _count(tokens: int | None) -> int | None:
    return None if tokens is None or tokens < 0 else tokens


def _milliseconds(nanoseconds: int | None) -> float | None:
    if nanoseconds is None or not 0 <= nanoseconds < MAX_NANOSECONDS:
        return None
    return nanoseconds / 1e6
