from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_gpt_oss.completion import Logprob, Piece
from llm_gpt_oss.engines.http.join_pieces import join_pieces
from llm_gpt_oss.harmony.conversation import Header
from llm_gpt_oss.harmony.markers import MARKER, MARKERS
from llm_gpt_oss.harmony.reader import Event, HarmonyReader, TextDelta
from llm_gpt_oss.streaming import translate

TEXTS: list[tuple[list[str], list[str]]] = [
    ([], []),
    (["a"], ["a"]),
    (["a", " b", "c"], ["a bc"]),
    (["a", "<|end|>", "<|start|>", "b", "c"], ["a", "<|end|>", "<|start|>", "bc"]),
    (["a", "b<|end|>c", "d"], ["a", "b<|end|>c", "d"]),
    (["<|", "end", "|>", "a"], ["<|end", "|>a"]),
    (["<", "|constrain|", ">", "a"], ["<|constrain|", ">a"]),
    (["a<|start", "|", ">b", "|>"], ["a<|start|", ">b|>"]),
    (["<|other|", ">", "a"], ["<|other|>a"]),
    (["a", "ü", "ß", "b"], ["a", "üß", "b"]),
]


@pytest.mark.parametrize(("texts", "joined"), TEXTS)
def test_joined_texts(texts: list[str], joined: list[str]) -> None:
    assert [piece.text for piece in join_pieces(map(Piece, texts))] == joined


def test_tokens_and_log_probabilities_are_kept() -> None:
    a, b, c = Logprob("a", -0.1), Logprob("b", -0.2), Logprob("c", -0.3)
    pieces = [Piece("a", (a,)), Piece("bc", (b, c), tokens=2), Piece("d"), Piece("e", tokens=3)]
    assert [*join_pieces(pieces)] == [Piece("abcde", (a, b, c), tokens=7)]


def merged(events: Iterable[Event]) -> list[Event]:
    "The events with neighbouring texts as one."
    result: list[Event] = []
    for event in events:
        match [*result[-1:], event]:
            case [TextDelta(text, tokens, logprobs), TextDelta(text2, tokens2, logprobs2)]:
                result[-1] = TextDelta(text + text2, tokens + tokens2, logprobs + logprobs2)
            case _:
                result.append(event)
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


@given(st.lists(pieces(), max_size=20), st.booleans(), st.booleans())
def test_a_reader_finds_the_same_messages(pieces: list[Piece], in_message: bool, constrained: bool) -> None:
    joined = [*join_pieces(pieces)]

    def read(pieces: list[Piece]) -> list[Event]:
        header = Header("assistant", "final") if in_message else None
        return merged(translate(pieces, HarmonyReader(header, constrained=constrained)))

    assert read(joined) == read(pieces)
    assert sum(piece.tokens for piece in joined) == sum(piece.tokens for piece in pieces)
    assert [each for piece in joined for each in piece.logprobs] == [
        each for piece in pieces for each in piece.logprobs
    ]
    assert [piece for piece in joined if MARKER.search(piece.text)] == [
        piece for piece in pieces if MARKER.search(piece.text)
    ]
