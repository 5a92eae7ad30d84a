"Join pieces of an answer that is not streamed. The joined pieces have the same meaning."

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ...completion import Piece
from ...harmony.markers import MARKERS


def join_pieces(pieces: Iterable[Piece]) -> Iterator[Piece]:
    """Join neighbouring pieces to as few as possible.

    Text, log probabilities and the sum of the tokens stay the same. A marker stays a piece by itself, and no
    other piece becomes a marker. ASCII text is not joined to other text, because `turn/usage.py` counts the
    tokens of other text.
    """
    run: list[Piece] = []
    for piece in pieces:
        if run and not _can_join(run[-1], piece):
            yield from _joined(run)
            run = []
        run.append(piece)
    yield from _joined(run)


def _can_join(first: Piece, second: Piece) -> bool:
    if first.text in MARKERS or second.text in MARKERS:
        return False
    return first.text.isascii() is second.text.isascii()


def _joined(run: list[Piece]) -> list[Piece]:
    if len(run) < 2:
        return run
    text = "".join(piece.text for piece in run)
    if text in MARKERS:
        return [*_joined(run[:-1]), run[-1]]
    logprobs = tuple(logprob for piece in run for logprob in piece.logprobs)
    return [Piece(text, logprobs, sum(max(piece.tokens, len(piece.logprobs)) for piece in run))]
