from __future__ import annotations

import pytest
from support.parrot import IDS, ByteTokenizer

from llm_gpt_oss.completion import Logprob, Piece
from llm_gpt_oss.engines.transformers.tokens import MARKERS, Detokenizer, Vocabulary
from llm_gpt_oss.errors import NotGptOss


def pieces(parts: list[str | bytes], *stops: str) -> list[str]:
    writer = Detokenizer(stops)
    data = [part.encode() if isinstance(part, str) else part for part in parts]
    out = [piece.text for part in data if not writer.stopped for piece in writer.feed(part)]
    return out + [piece.text for piece in writer.finish()]


@pytest.mark.parametrize(
    ("parts", "stops", "texts"),
    [
        pytest.param(["a", "b"], [], ["a", "b"], id="a piece for each token"),
        pytest.param([b"\xf0\x9f", b"\x90", b"\xb3!"], [], ["🐳!"], id="character in several tokens"),
        pytest.param(["a", b"\xf0\x9f"], [], ["a", "\ufffd"], id="incomplete character"),
        pytest.param(
            [b"\xf0\x9f", "<|end|>"], [], ["\ufffd", "<|end|>"], id="marker after a part of a character"
        ),
        pytest.param(
            [b"a\xf0", "<|end|>"], [], ["a", "\ufffd", "<|end|>"], id="marker after a token that ends in one"
        ),
        pytest.param(
            ["<", "|end", "|>", "!"],
            ["<|end|>x"],
            ["<", "|end", "|>", "!"],
            id="marker spelled out, and held back",
        ),
        pytest.param(
            ["<|end|>", "<|channel|>"],
            ["<|end|>x"],
            ["<|end|>", "<|channel|>"],
            id="marker that was held back",
        ),
        pytest.param(["a\x85b", "\u2028"], [], ["a\x85b", "\u2028"], id="unusual line separators"),
        pytest.param(["ab", "cd", "e"], ["bc"], ["a"], id="stop string across tokens"),
        pytest.param(["ab", "d"], ["bc"], ["ab", "d"], id="start of a stop string"),
        pytest.param(["a", "b"], ["bc"], ["a", "b"], id="text ends with the start of a stop string"),
        pytest.param(["a", "aab", "x"], ["aab"], ["a"], id="stop string that overlaps itself"),
        pytest.param(["1", "2", "3"], ["23", "12"], [], id="first of several stop strings"),
        pytest.param(["x<|end|>y"], ["<|end|>"], ["x"], id="marker as stop string"),
        pytest.param(["a", "b"], [""], ["a", "b"], id="empty stop string"),
    ],
)
def test_pieces(parts: list[str | bytes], stops: list[str], texts: list[str]) -> None:
    assert pieces(parts, *stops) == texts


def test_stopped() -> None:
    writer = Detokenizer(["b"])
    assert [*writer.feed(b"a")] == [Piece("a")]
    assert not writer.stopped
    assert [*writer.feed(b"bc"), *writer.finish()] == []
    assert writer.stopped


def test_logprobs_follow_the_text_of_their_tokens() -> None:
    writer = Detokenizer(["stop"])
    a, half, rest, b, cut = (Logprob(name, -1.0) for name in ("a", "half", "rest", "b", "cut"))
    assert [*writer.feed(b"a", a)] == [Piece("a", (a,))]
    assert [*writer.feed(b"\xc3", half)] == []
    assert [*writer.feed(b"\xa4", rest)] == [Piece("ä", (half, rest), tokens=2)]
    assert [*writer.feed(b"b", b), *writer.feed(b"!st", a)] == [Piece("b", (b,))]
    assert [*writer.feed(b"op", cut)] == [Piece("!", (a,))], "none for the stop string"


def test_vocabulary() -> None:
    vocabulary = Vocabulary(ByteTokenizer(), "x")
    assert b"".join(vocabulary.token_bytes(token) for token in range(256)) == bytes(range(256))
    assert vocabulary.encode("ä<|call|>") == [0xC3, 0xA4, IDS["<|call|>"]]
    assert vocabulary.token_bytes(IDS["<|call|>"]) == b"<|call|>"
    assert vocabulary.token_bytes(5000) == b"", "models have more logits than there are tokens"
    assert {vocabulary.token_bytes(token).decode() for token in vocabulary.stop_tokens} == {
        "<|return|>",
        "<|call|>",
        "<|endoftext|>",
    }
    assert vocabulary.logprob(0xC3, -1.0, ()) == Logprob("\ufffd", -1.0, (0xC3,))


def test_vocabulary_without_harmony_is_refused() -> None:
    with pytest.raises(NotGptOss, match=r"its vocabulary lacks <\|message\|>"):
        Vocabulary(ByteTokenizer([marker for marker in MARKERS if marker != "<|message|>"]), "x")
