from __future__ import annotations

import pytest
from support.parrot import IDS, Bytewise

from llm_gpt_oss.completion import Logprob, Piece
from llm_gpt_oss.engines.transformers.tokens import MARKERS, Detokenizer, Vocabulary
from llm_gpt_oss.errors import NotGptOss


def pieces(parts: list[str | bytes], *stops: str) -> list[str]:
    writer = Detokenizer(stops)
    data = [part.encode() if isinstance(part, str) else part for part in parts]
    out = [piece.text for part in data if not writer.stopped for piece in writer.feed(part)]
    return out + [piece.text for piece in writer.finish()]


@pytest.mark.parametrize(
    ("parts", "stops", "said"),
    [
        pytest.param(["a", "b"], [], ["a", "b"], id="a token, a piece"),
        pytest.param([b"\xf0\x9f", b"\x90", b"\xb3!"], [], ["🐳!"], id="a character in several tokens"),
        pytest.param(["a", b"\xf0\x9f"], [], ["a", "\ufffd"], id="half of a character"),
        pytest.param([b"\xf0\x9f", "<|end|>"], [], ["\ufffd<|end|>"], id="a marker in a character"),
        pytest.param(["a\x85b", "\u2028"], [], ["a\x85b", "\u2028"], id="what others take for line ends"),
        pytest.param(["ab", "cd", "e"], ["bc"], ["a"], id="a stop string across tokens"),
        pytest.param(["ab", "d"], ["bc"], ["abd"], id="what only began like one"),
        pytest.param(["a", "b"], ["bc"], ["a", "b"], id="and there the text ends"),
        pytest.param(["a", "aab", "x"], ["aab"], ["a"], id="one that begins within itself"),
        pytest.param(["1", "2", "3"], ["23", "12"], [], id="the first of several"),
        pytest.param(["x<|end|>y"], ["<|end|>"], ["x"], id="a marker"),
        pytest.param(["a", "b"], [""], ["a", "b"], id="an empty one never stops"),
    ],
)
def test_what_comes_of_tokens(parts: list[str | bytes], stops: list[str], said: list[str]) -> None:
    assert pieces(parts, *stops) == said


def test_it_says_that_it_stopped() -> None:
    writer = Detokenizer(["b"])
    assert [*writer.feed(b"a")] == [Piece("a")]
    assert not writer.stopped
    assert [*writer.feed(b"bc"), *writer.finish()] == []
    assert writer.stopped


def test_log_probabilities_go_with_their_tokens() -> None:
    writer = Detokenizer(["stop"])
    a, half, rest, b, cut = (Logprob(name, -1.0) for name in ("a", "half", "rest", "b", "cut"))
    assert [*writer.feed(b"a", a)] == [Piece("a", (a,))]
    assert [*writer.feed(b"\xc3", half)] == []
    assert [*writer.feed(b"\xa4", rest)] == [Piece("ä", (half, rest))]
    assert [*writer.feed(b"b", b), *writer.feed(b"!st", a)] == [Piece("b", (b,))]
    assert [*writer.feed(b"op", cut)] == [Piece("!", (a,))], "what is no part of the answer has none"


def test_tokens_are_bytes() -> None:
    tokens = Vocabulary(Bytewise(), "x")
    assert b"".join(tokens.token_bytes(token) for token in range(256)) == bytes(range(256))
    assert tokens.encode("ä<|call|>") == [0xC3, 0xA4, IDS["<|call|>"]]
    assert tokens.token_bytes(IDS["<|call|>"]) == b"<|call|>"
    assert tokens.token_bytes(5000) == b"", "there is room for more tokens than there are"
    assert {tokens.token_bytes(token).decode() for token in tokens.stop_tokens} == {
        "<|return|>",
        "<|call|>",
        "<|endoftext|>",
    }
    assert tokens.logprob(0xC3, -1.0, ()) == Logprob("\ufffd", -1.0, (0xC3,))


def test_a_vocabulary_without_harmony_is_refused() -> None:
    with pytest.raises(NotGptOss, match=r"its vocabulary lacks <\|message\|>"):
        Vocabulary(Bytewise([marker for marker in MARKERS if marker != "<|message|>"]), "x")
