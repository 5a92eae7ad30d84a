from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_gpt_oss.completion import Logprob, Piece
from llm_gpt_oss.engines.http.join_pieces import join_pieces
from llm_gpt_oss.harmony.markers import MARKERS


@pytest.mark.parametrize(
    ("texts", "joined"),
    [
        pytest.param([], [], id="nothing"),
        pytest.param(["a"], ["a"], id="one piece"),
        pytest.param(["a", " b", "c"], ["a bc"], id="text"),
        pytest.param(
            ["a", "<|end|>", "<|start|>", "b", "c"], ["a", "<|end|>", "<|start|>", "bc"], id="markers"
        ),
        pytest.param(["a", "b<|end|>c", "d"], ["ab<|end|>cd"], id="a spelled-out marker inside a piece"),
        pytest.param(["x", "<|", "end", "|>", "a"], ["x<|end|>a"], id="a spelled-out marker in text"),
        pytest.param(["<|", "end", "|>"], ["<|end", "|>"], id="a spelled-out marker alone"),
        pytest.param(
            ["<|end|>", "<|", "end", "|>", "<|end|>"],
            ["<|end|>", "<|end", "|>", "<|end|>"],
            id="a spelled-out marker between real ones",
        ),
        pytest.param(["a", "ü", "ß", "b"], ["a", "üß", "b"], id="text that is not ASCII"),
    ],
)
def test_joined_texts(texts: list[str], joined: list[str]) -> None:
    assert [piece.text for piece in join_pieces(map(Piece, texts))] == joined


def test_tokens_and_log_probabilities_are_kept() -> None:
    a, b, c = Logprob("a", -0.1), Logprob("b", -0.2), Logprob("c", -0.3)
    pieces = [Piece("a", (a,)), Piece("bc", (b, c), tokens=2), Piece("d"), Piece("e", tokens=3)]
    assert [*join_pieces(pieces)] == [Piece("abcde", (a, b, c), tokens=7)]


def parts(pieces: Iterable[Piece]) -> list[str]:
    "The markers among the pieces, and the whole text between them after a space."
    result: list[str] = []
    for piece in pieces:
        if piece.text in MARKERS:
            result.append(piece.text)
        elif result and result[-1] not in MARKERS:
            result[-1] += piece.text
        else:
            result.append(f" {piece.text}")
    return result


MARKER_PARTS = [marker[:cut] for marker in MARKERS for cut in (1, 2, -1)]
MARKER_ENDS = [marker[cut:] for marker in MARKERS for cut in (1, 2, -1, -2)]
texts = st.sampled_from(
    [*MARKERS, *MARKER_PARTS, *MARKER_ENDS, "a", " b", "ü", "<", ">", "final", "x<|end|>y"]
)


@st.composite
def pieces(draw: st.DrawFn) -> Piece:
    text, tokens = draw(texts), draw(st.integers(0, 2))
    logprobs = tuple(Logprob(text[index::tokens], -index) for index in range(tokens))
    return Piece(text, logprobs, max(1, tokens))


@given(st.lists(pieces(), max_size=20))
def test_joined_pieces_mean_the_same(pieces: list[Piece]) -> None:
    joined = [*join_pieces(pieces)]
    assert parts(joined) == parts(pieces)
    assert sum(piece.tokens for piece in joined) == sum(piece.tokens for piece in pieces)
    assert [each for piece in joined for each in piece.logprobs] == [
        each for piece in pieces for each in piece.logprobs
    ]
