from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_gpt_oss.completion import Completion, Logprob, Piece
from llm_gpt_oss.engines.http.token_splitter import (
    Token,
    TokenSplitter,
    holds_text_back,
    needs_tokens,
    split_at_markers,
)
from llm_gpt_oss.harmony.markers import MARKERS

PLAIN = Completion("tiny", "p")
STOPPED = Completion("tiny", "p", stop=("<|end|><|start|>",))
PROBABLE = Completion("tiny", "p", stop=("x",), top_logprobs=0)

# What arrives at once: the text, and the texts of its tokens. None is a token of unknown text.
Step = tuple[str, Sequence["str | None"]]


def split(steps: Sequence[Step], completion: Completion = STOPPED) -> list[Piece]:
    splitter = TokenSplitter(completion)
    tokens = [[Token(token, token and Logprob(token, -0.1)) for token in step] for _, step in steps]
    pieces = [
        piece for (text, _), own in zip(steps, tokens, strict=True) for piece in splitter.feed(text, own)
    ]
    return [*pieces, *splitter.flush()]


def texts(steps: Sequence[Step], completion: Completion = STOPPED) -> list[str]:
    return [piece.text for piece in split(steps, completion)]


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        pytest.param([("a", ["a"]), ("b", ["b"])], ["a", "b"], id="a token at a time"),
        pytest.param([("abc", ["a", "bc"])], ["a", "bc"], id="joined text"),
        pytest.param(
            [("<|end|> ends", ["<", "|", "end", "|>", " ends"])],
            ["<", "|", "end", "|>", " ends"],
            id="a marker spelled out in joined text",
        ),
        pytest.param(
            [("<|end|><|channel|>", ["<|end|>", "<|channel|>"])],
            ["<|end|>", "<|channel|>"],
            id="markers in joined text",
        ),
        pytest.param(
            [("<|end|><|end|>x", ["<|", "end", "|>", "<|end|>", "x"])],
            ["<|", "end", "|>", "<|end|>", "x"],
            id="a marker next to a spelled-out one",
        ),
        pytest.param(
            [
                ("", ["<|channel|>"]),
                ("<|ch", ["analysis"]),
                ("annel|>anal", ["<|message|>"]),
                ("ysis<|message|>H", ["Hm"]),
                ("m", []),
            ],
            ["<|channel|>", "analysis", "<|message|>", "Hm"],
            id="text that arrives after its tokens",
        ),
        pytest.param(
            [("<|", ["<", "|", "end"]), ("end|>", ["|", ">"])],
            ["<", "|", "end", "|", ">"],
            id="a spelled-out marker that arrives after its tokens",
        ),
        pytest.param(
            [("", ["13"]), ("1", [", 1", "4"]), ("3, ", [])], ["13", ", "], id="a token cut by a stop string"
        ),
        pytest.param([("<|", ["<|end|>"])], ["<|"], id="a marker cut by a stop string"),
        pytest.param([("ü", ["\ufffd", "\ufffd"])], ["ü"], id="tokens of a character"),
        pytest.param(
            [("x ü<|end|>y", ["x", " \ufffd", "\ufffd", "<|end|>", "y"])],
            ["x", " ü", "<|end|>", "y"],
            id="tokens of a character next to a marker",
        ),
        pytest.param(
            [("ü<|end|>", ["\ufffd", "\ufffd", "<|", "end", "|>"])],
            ["ü", "<|", "end", "|>"],
            id="tokens of a character next to a spelled-out marker",
        ),
        pytest.param(
            [("", [""]), ("", ["", "ü"]), ("ü", ["b"]), ("b", [])],
            ["ü", "b"],
            id="a character's text with its last token",
        ),
        pytest.param([("\ufffd", ["\ufffd"]), ("b", ["b"])], ["\ufffd", "b"], id="a real U+FFFD"),
        pytest.param([("a", [None]), ("b", [None])], ["a", "b"], id="unknown tokens"),
        pytest.param(
            [("", [None]), ("", [None]), ("", [None]), ("<|end|> ends", [None])],
            ["<|end|> ends"],
            id="a marker spelled out by unknown tokens",
        ),
        pytest.param(
            [("", [None]), ("", [None]), ("<|end|>", [None])],
            ["<", "|end|>"],
            id="a marker spelled out by unknown tokens, and nothing else",
        ),
        pytest.param(
            [("", ["<|channel|>"]), ("<|channel|>analysis", [None])],
            ["<|channel|>", "analysis"],
            id="a marker and an unknown token",
        ),
        pytest.param(
            [("", [None]), ("", [None]), ("", [None]), ("<|end|><|end|>", ["<|end|>"])],
            ["<", "|end|>", "<|end|>"],
            id="unknown tokens and a marker",
        ),
        pytest.param(
            [("", [None]), ("", [None]), ("", [None]), ("", ["<|end|>"]), ("<|end|>", ["<|start|>"])],
            ["<", "|end|>"],
            id="unknown tokens before a stop string",
        ),
    ],
)
def test_text_ends_where_tokens_end(steps: list[Step], expected: list[str]) -> None:
    assert texts(steps) == expected


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        pytest.param([("a<|end|>b", [])], ["a", "<|end|>", "b"], id="no tokens"),
        pytest.param(
            [("<|ch", []), ("annel|>x<", []), ("y", [])], ["<|channel|>", "x", "<y"], id="no tokens, cut text"
        ),
        pytest.param(
            [("<|channel|>analysis", ["<|channel|>analysis"])],
            ["<|channel|>", "analysis"],
            id="several tokens reported as one",
        ),
        pytest.param(
            [("<|e", ["token_id:1"]), ("nd|>a", ["token_id:2"]), ("b", ["b"])],
            ["<|end|>", "a", "b"],
            id="tokens of another text",
        ),
        pytest.param([("<|end|>", ["ab"])], ["<|end|>"], id="a token of another text"),
        pytest.param([("a", ["a"]), ("b<|end|>", [])], ["a", "b", "<|end|>"], id="no tokens later"),
    ],
)
def test_each_marker_counts_where_tokens_are_not_known(steps: list[Step], expected: list[str]) -> None:
    assert texts(steps) == expected


IN_MESSAGE = Completion("tiny", "<|start|>assistant<|channel|>final<|message|>So", stop=("<|channel|>final",))
HEADER = "<|channel|>commentary to=functions.f <|message|>"


@pytest.mark.parametrize(
    ("completion", "steps", "markers"),
    [
        pytest.param(IN_MESSAGE, [(HEADER, [HEADER])], [], id="one token in a message"),
        pytest.param(IN_MESSAGE, [(HEADER, [])], [], id="no tokens in a message"),
        pytest.param(
            IN_MESSAGE, [("<|chan", []), ("nel|>", []), ("x", [])], [], id="no tokens, cut text in a message"
        ),
        pytest.param(
            IN_MESSAGE, [("<|channel|>", ["<|channel|>"])], ["<|channel|>"], id="a token that is the marker"
        ),
        pytest.param(
            IN_MESSAGE,
            [("x<|end|><|start|>", ["x<|end|><|start|>"]), (HEADER, [HEADER]), (HEADER, [HEADER])],
            ["<|end|>", "<|start|>", "<|channel|>", "<|message|>"],
            id="the next message, and a header in it",
        ),
        pytest.param(
            STOPPED,
            [(HEADER, [HEADER]), (HEADER, [HEADER])],
            ["<|channel|>", "<|message|>"],
            id="in a header",
        ),
        pytest.param(
            Completion("tiny", "<|message|>a<|end|>", stop=("ab",)),
            [(HEADER, [HEADER])],
            ["<|channel|>", "<|message|>"],
            id="after a message",
        ),
        pytest.param(
            Completion("tiny", "<|message|>a"),
            [("<|channel|>", [])],
            ["<|channel|>"],
            id="without stop strings each piece is a token",
        ),
    ],
)
def test_a_message_has_no_header_in_it(completion: Completion, steps: list[Step], markers: list[str]) -> None:
    pieces = texts(steps, completion)
    assert [text for text in pieces if text in MARKERS] == markers
    assert "".join(pieces) == "".join(text for text, _ in steps)


def test_without_stop_strings_no_text_waits() -> None:
    steps: list[Step] = [("<|", []), ("end", []), ("|>", []), ("\ufffd<|end|>", []), ("<", [])]
    assert texts(steps, PLAIN) == ["<|", "end", "|>", "\ufffd", "<|end|>", "<"]


def test_after_a_flush_tokens_are_those_of_new_text() -> None:
    splitter = TokenSplitter(STOPPED)
    assert [*splitter.feed("a", [Token("a"), Token("\ufffd"), Token("<|end|>")]), *splitter.flush()] == [
        Piece("a")
    ]
    assert [*splitter.feed("<|start|>", [Token("<|start|>")])] == [Piece("<|start|>")]
    assert [*splitter.feed("b<|end|>", [Token("x")]), *splitter.flush()] == [Piece("b"), Piece("<|end|>")]
    assert [*splitter.feed("<|end|>", [Token("<|"), Token("end|>")])] == [Piece("<|"), Piece("end|>")]


@pytest.mark.parametrize(
    ("text", "tokens", "restored"),
    [
        pytest.param("a", ["a"], [], id="nothing is missing"),
        pytest.param("a", ["a", "\ufffd", "<|end|>"], ["\ufffd", "<|end|>"], id="dropped tokens"),
        pytest.param("a ", ["a", " <"], [], id="a token cut by a stop string"),
    ],
)
def test_restored_tokens(text: str, tokens: list[str], restored: list[str]) -> None:
    splitter = TokenSplitter(STOPPED)
    assert [piece.text for piece in splitter.feed(text, map(Token, tokens))] == ["a"]
    assert [piece.text for piece in splitter.restore()] == restored


def test_text_is_passed_on_at_once() -> None:
    splitter = TokenSplitter(STOPPED)
    assert [*splitter.feed("a", [Token("a")])] == [Piece("a")]
    assert [*splitter.feed("ü", [Token("\ufffd"), Token("\ufffd")])] == [Piece("ü", tokens=2)]


def test_log_probabilities_are_returned_to_those_who_requested_them() -> None:
    steps: list[Step] = [("aü", ["a", "\ufffd", "\ufffd"]), ("13", ["134"])]
    half = Logprob("\ufffd", -0.1)
    assert split(steps, PROBABLE) == [
        Piece("a", (Logprob("a", -0.1),)),
        Piece("ü", (half, half), tokens=2),
        Piece("13"),
    ]
    assert split(steps) == [Piece("a"), Piece("ü", tokens=2), Piece("13")]


def test_log_probabilities_of_tokens_that_do_not_spell_the_text() -> None:
    pieces = split([("x", ["a", "b"]), ("y", ["c"])], PROBABLE)
    assert [[token.token for token in piece.logprobs] for piece in pieces] == [["a", "b"], ["c"]]


@pytest.mark.parametrize(
    ("completion", "held", "needed"),
    [
        pytest.param(PLAIN, False, False, id="no stop strings"),
        pytest.param(STOPPED, True, True, id="two markers"),
        pytest.param(Completion("tiny", "p", stop=("<|start|>",)), True, False, id="a marker"),
        pytest.param(Completion("tiny", "p", stop=("<|start|>", "x")), True, True, id="a marker and a word"),
        pytest.param(Completion("tiny", "p", stop=("x",), format="json"), False, False, id="a grammar"),
    ],
)
def test_which_completions_need_the_tokens(completion: Completion, held: bool, needed: bool) -> None:
    assert (holds_text_back(completion), needs_tokens(completion)) == (held, needed)


@pytest.mark.parametrize(
    ("piece", "parts"),
    [
        pytest.param(Piece("ab", tokens=2), [Piece("ab", tokens=2)], id="no marker"),
        pytest.param(Piece("<|end|>"), [Piece("<|end|>")], id="a marker"),
        pytest.param(
            Piece("a<|end|><|start|>b", tokens=5),
            [Piece("a"), Piece("<|end|>"), Piece("<|start|>"), Piece("b", tokens=2)],
            id="markers and text",
        ),
        pytest.param(
            Piece("ab<|end|>", (Logprob("a", -1), Logprob("b", -2), Logprob("<|end|>", -3)), 3),
            [
                Piece("ab", (Logprob("a", -1), Logprob("b", -2)), 2),
                Piece("<|end|>", (Logprob("<|end|>", -3),)),
            ],
            id="log probabilities",
        ),
    ],
)
def test_split_at_markers(piece: Piece, parts: list[Piece]) -> None:
    assert [*split_at_markers(piece)] == parts


tokens = st.sampled_from([*MARKERS, "<", "|", "<|", "end", "|>", ">", "a", " b", "ü", "final"])


@given(st.lists(tokens, max_size=20), st.data())
def test_known_tokens_are_the_pieces(tokens: list[str], data: st.DataObject) -> None:
    "However long the text of the tokens is held back, and wherever it is cut."
    whole = "".join(tokens)
    steps: list[Step] = []
    reported = sent = 0
    while reported < len(tokens):
        count = data.draw(st.integers(1, len(tokens) - reported))
        end = data.draw(st.integers(sent, len("".join(tokens[: reported + count]))))
        steps.append((whole[sent:end], tokens[reported : reported + count]))
        reported, sent = reported + count, end
    assert texts([*steps, (whole[sent:], [])]) == tokens


@given(st.lists(tokens, max_size=20), st.data())
def test_markers_among_unknown_tokens(tokens: list[str], data: st.DataObject) -> None:
    "Text is released where a token ends. A special token is a piece, and no other piece is a marker."
    steps: list[Step] = []
    held = ""
    for token in tokens:
        held += token
        release = token in MARKERS or data.draw(st.booleans())
        steps.append((held if release else "", [token if token in MARKERS else None]))
        held = "" if release else held
    found = texts([*steps, (held, [])])
    assert "".join(found) == "".join(tokens)
    assert [text for text in found if text in MARKERS] == [token for token in tokens if token in MARKERS]


def test_thousands_of_tokens_in_one_piece_take_linear_time() -> None:
    # Copying the rest of the text for each token would take minutes.
    words = [f"{number:010}" for number in range(30_000)]
    assert texts([("".join(words), words)]) == words


def test_thousands_of_markers_and_tokens_in_one_piece_take_linear_time() -> None:
    tokens = tuple(Logprob("ab", -0.1) for _ in range(100_000))
    text = "ab" * 99_999 + "<|end|>ab"
    first, marker, last = split_at_markers(Piece(text, tokens, 100_000))
    assert (len(first.logprobs), marker.text, last.text) == (99_999, "<|end|>", "ab")


def test_text_does_not_wait_for_ever_for_a_token_that_never_comes() -> None:
    steps = [("a", [None, "zzz"]), *[("b" * 1000, [])] * 12]
    pieces = split(steps, PLAIN)
    assert "".join(piece.text for piece in pieces) == "a" + "b" * 12_000
    assert len(pieces) > 2
