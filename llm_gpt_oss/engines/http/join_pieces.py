"Joins pieces of an answer that nobody reads while the model writes it. The joined pieces mean the same."

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ...completion import Piece
from ...harmony.markers import MARKER, MARKERS

_LONGEST = max(map(len, MARKERS))


def join_pieces(pieces: Iterable[Piece]) -> Iterator[Piece]:
    """Join neighbouring pieces to as few as possible.

    Text, log probabilities and the sum of the tokens stay the same. A piece that contains a marker stays as
    it is. Pieces that spell a marker only together are not joined, because a reader would take it for a real
    one. ASCII text is not joined to other text, because `turn/usage.py` counts the tokens of the latter.
    """
    run: list[Piece] = []
    tail = ""  # the end of the run's text, shorter than a marker
    is_ascii = has_marker = False
    for piece in pieces:
        text = piece.text
        ends_marker = ">" in text and MARKER.search(tail + text) is not None
        if run and (ends_marker or has_marker or text.isascii() is not is_ascii):
            yield _join(run)
            run, tail = [], ""
        run.append(piece)
        tail = (tail + text)[1 - _LONGEST :]
        is_ascii = text.isascii()
        has_marker = ends_marker and MARKER.search(text) is not None
    if run:
        yield _join(run)


def _join(pieces: list[Piece]) -> Piece:
    if len(pieces) == 1:
        return pieces[0]
    logprobs = tuple(logprob for piece in pieces for logprob in piece.logprobs)
    tokens = sum(max(piece.tokens, len(piece.logprobs)) for piece in pieces)
    return Piece("".join(piece.text for piece in pieces), logprobs, tokens)
