from __future__ import annotations

from itertools import chain, combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.harmony_reading import collect, join_pieces, messages, read, repairs, split_text

from llm_gpt_oss.completion import Logprob, Piece
from llm_gpt_oss.harmony.conversation import Header
from llm_gpt_oss.harmony.markers import MARKER, MARKERS
from llm_gpt_oss.harmony.reader import MessageEnd, TextDelta, parse_header

ANALYSIS, COMMENTARY, FINAL = (
    Header("assistant", channel) for channel in ("analysis", "commentary", "final")
)
JSON = "<|constrain|>json"


def call(name: str, content_type: str | None = JSON, channel: str | None = "commentary") -> Header:
    return Header("assistant", channel, name, content_type)


# Headers.

WELL_FORMED = [
    # As in the documentation and the tests of openai/harmony.
    ("<|channel|>analysis", ANALYSIS),
    ("<|channel|>final", FINAL),
    ("<|channel|>commentary", COMMENTARY),
    ("assistant<|channel|>final", FINAL),
    ("<|channel|>commentary to=functions.get_weather <|constrain|>json", call("functions.get_weather")),
    ("<|channel|>commentary to=functions.get_weather<|constrain|>json", call("functions.get_weather")),
    (
        "assistant to=functions.get_weather<|channel|>commentary<|constrain|>json",
        call("functions.get_weather"),
    ),
    ("<|channel|>commentary to=functions.get_weather json", call("functions.get_weather", "json")),
    ("<|channel|>commentary to=functions.get_weather", call("functions.get_weather", None)),
    ("user", Header("user")),
    ("system", Header("system")),
    ("developer", Header("developer")),
    (
        "functions.get_weather to=assistant<|channel|>commentary",
        Header("tool", "commentary", "assistant", name="functions.get_weather"),
    ),
    ("functions.get_weather", Header("tool", name="functions.get_weather")),
    (
        "browser.search to=assistant<|channel|>commentary",
        Header("tool", "commentary", "assistant", name="browser.search"),
    ),
    # With other spaces, in another order, and with more parts.
    (" to=functions.f<|channel|>commentary json", call("functions.f", "json")),
    ("to=functions.f<|channel|>commentary<|constrain|>json", call("functions.f")),
    ("<|channel|> commentary  to=functions.f  <|constrain|> json ", call("functions.f")),
    ("<|channel|>commentaryto=functions.f<|constrain|>json", call("functions.f")),
    ("<|constrain|>json<|channel|>commentary to=functions.f", call("functions.f")),
    ("<|channel|>commentary to=functions.a-b.c <|constrain|>json", call("functions.a-b.c")),
    ("<|channel|>analysis to=functions.f code", call("functions.f", "code", "analysis")),
    ("<|channel|>final <|constrain|>json", Header("assistant", "final", None, JSON)),
    ("tool", Header("tool")),
    ("tool:functions.f", Header("tool", name="functions.f")),
    ("user:ada<|channel|>final", Header("user", "final", name="ada")),
]


@pytest.mark.parametrize(("text", "header"), WELL_FORMED)
def test_well_formed_headers(text: str, header: Header) -> None:
    assert parse_header(text) == (header, ())


MISSING = "channel missing"


@pytest.mark.parametrize(
    ("text", "header", "repairs"),
    [
        ("", Header("assistant"), [MISSING]),
        ("assistant", Header("assistant"), [MISSING]),
        (" \n", Header("assistant"), [MISSING]),
        ("<|channel|>", Header("assistant"), [MISSING]),
        ("final", FINAL, [MISSING]),
        ("assistantfinal", FINAL, [MISSING]),
        ("assistantcommentary to=functions.f json", call("functions.f", "json"), [MISSING]),
        ("to=functions.f <|constrain|>json", call("functions.f", channel=None), [MISSING]),
        ("to=functions.f code", call("functions.f", "code", None), [MISSING]),
        ("something else", Header("assistant"), [MISSING]),
        ("assistantassistant<|channel|>final", FINAL, ["role named twice"]),
        ("assistant<|channel|>final assistant", FINAL, ["role named twice"]),
        ("<|channel|>analysis<|channel|>final", ANALYSIS, ["channel named twice"]),
        (
            "<|channel|>commentary to=functions.get_weather<|channel|>commentary <|constrain|>json",
            call("functions.get_weather"),
            ["channel named twice"],
        ),
        (
            "<|channel|>commentary to=get_weather <|constrain|>json",
            call("get_weather"),
            ["recipient without functions."],
        ),
        (
            "<|channel|>analysis to=python code",
            call("python", "code", "analysis"),
            ["recipient without functions."],
        ),
        ("to=f", call("f", None, None), [MISSING, "recipient without functions."]),
        ("<|channel|>musing", Header("assistant", "musing"), []),
        ("<|channel|>commentary final", Header("assistant", "commentary", None, "final"), []),
    ],
)
def test_repaired_headers(text: str, header: Header, repairs: list[str]) -> None:
    assert parse_header(text) == (header, tuple(repairs))


@pytest.mark.parametrize("text", [text for text, _ in WELL_FORMED])
def test_headers_in_pieces(text: str) -> None:
    assert messages(split_text(f"{text}<|message|>x")) == [(parse_header(text)[0], "x")]


# Completions, as Ollama streamed them with gpt-oss-tiny, or as in the documentation of openai/harmony.

REASONING_PIECES = ["<|channel|>", "analysis", "<|message|>", "User", " asks", ";", " the", " capital", "."]
NEXT_MESSAGE = ["<|end|>", "<|start|>", "assistant", "<|channel|>"]
FINAL_PIECES = [*NEXT_MESSAGE, "final", "<|message|>", "The", " capital", " is", " L", "im", "a", "."]
CALL_HEADER = [
    "commentary",
    " to",
    "=functions",
    ".get",
    "_weather",
    " ",
    "<|constrain|>",
    "json",
    "<|message|>",
]
CALL_PIECES = [*NEXT_MESSAGE, *CALL_HEADER, '{"', "city", '":"', "O", "s", "lo", '"}']
REASONING = (ANALYSIS, "User asks; the capital.", "<|end|>")
COMPLETIONS = [
    pytest.param(
        [*REASONING_PIECES, *FINAL_PIECES], [REASONING, (FINAL, "The capital is Lima.", None)], id="final"
    ),
    pytest.param(
        [*REASONING_PIECES, *CALL_PIECES],
        [REASONING, (call("functions.get_weather"), '{"city":"Oslo"}', None)],
        id="call",
    ),
    pytest.param(
        ["<|channel|>", "final", "<|message|>", "I", " did", " not", "."],
        [(FINAL, "I did not.", None)],
        id="no reasoning",
    ),
    pytest.param([*REASONING_PIECES], [(ANALYSIS, "User asks; the capital.", None)], id="only reasoning"),
    pytest.param([*REASONING_PIECES, *FINAL_PIECES[:6]], [REASONING, (FINAL, "", None)], id="empty final"),
    pytest.param([*REASONING_PIECES, *FINAL_PIECES[:1]], [REASONING], id="cut after an end"),
    pytest.param([*REASONING_PIECES, *FINAL_PIECES[:5]], [REASONING], id="cut in a header"),
    pytest.param([*REASONING_PIECES, *CALL_PIECES[:9]], [REASONING], id="cut in a recipient"),
    pytest.param([*REASONING_PIECES, *CALL_PIECES[:12]], [REASONING], id="cut before a call's text"),
    pytest.param(
        [*REASONING_PIECES, *FINAL_PIECES, *FINAL_PIECES],
        [REASONING, (FINAL, "The capital is Lima.", "<|end|>"), (FINAL, "The capital is Lima.", None)],
        id="two finals",
    ),
    pytest.param(
        ["<|channel|>", "final", "<|message|>", "The", " tag", " <", "|", "end", "|", ">", " ends"],
        [(FINAL, "The tag <|end|> ends", None)],
        id="marker spelled out",
    ),
    pytest.param(
        ["<|channel|>", "final", "<|message|>", "next", "\x85", "line", "\u2028", "e", "\u0301", "\u200d"],
        [(FINAL, "next\x85line\u2028e\u0301\u200d", None)],
        id="unusual characters",
    ),
    pytest.param(
        split_text("<|channel|>final<|message|>2 + 2 = 4.<|return|>"),
        [(FINAL, "2 + 2 = 4.", "<|return|>")],
        id="return",
    ),
    pytest.param(
        split_text(
            "<|channel|>commentary<|message|>**Plan**<|end|><|start|>assistant<|channel|>commentary "
            "to=functions.f<|constrain|>json<|message|>{}<|call|>"
        ),
        [(COMMENTARY, "**Plan**", "<|end|>"), (call("functions.f"), "{}", "<|call|>")],
        id="preamble and call",
    ),
    pytest.param(
        split_text("<|start|>assistant<|channel|>final<|message|>a<|end|>"),
        [(FINAL, "a", "<|end|>")],
        id="start first",
    ),
    pytest.param(
        split_text("<|channel|>analysis<|message|>a<|channel|>final<|message|>b"),
        [(ANALYSIS, "a", "<|end|>"), (FINAL, "b", None)],
        id="channel in a text",
    ),
    pytest.param(
        split_text("<|channel|>analysis<|message|>a<|start|>assistant<|channel|>final<|message|>b"),
        [(ANALYSIS, "a", "<|end|>"), (FINAL, "b", None)],
        id="start in a text",
    ),
    pytest.param(
        split_text("<|channel|>final<|message|>a<|message|>b<|constrain|>c"),
        [(FINAL, "abc", None)],
        id="message and constrain in a text",
    ),
    pytest.param(
        split_text("<|channel|>final<|message|>a<|end|><|start|>user<|message|>b<|end|>"),
        [(FINAL, "a", "<|end|>"), (Header("user"), "b", "<|end|>")],
        id="message of the user",
    ),
    pytest.param(["Hello", " <", "b>"], [(Header("assistant"), "Hello <b>", None)], id="no header"),
    pytest.param(
        ["assistant", "Set", " to=5", "<|end|>"],
        [(Header("assistant"), "Set to=5", "<|end|>")],
        id="only a role",
    ),
    pytest.param(
        ["analysis of the data"],
        [(Header("assistant"), "analysis of the data", None)],
        id="word that is a channel",
    ),
    pytest.param(
        split_text("<|channel|>commentary Hello<|end|>"),
        [(COMMENTARY, "Hello", "<|end|>")],
        id="no message marker",
    ),
    pytest.param(
        split_text("<|channel|>analysis We\nthink<|start|>assistant<|channel|>final<|message|>b"),
        [(ANALYSIS, "We\nthink", "<|end|>"), (FINAL, "b", None)],
        id="no message marker, no end",
    ),
    pytest.param(
        split_text('<|channel|>commentary to=functions.f <|constrain|>json{"a":1}'),
        [(call("functions.f"), '{"a":1}', None)],
        id="call without a message marker",
    ),
    pytest.param(
        split_text('to=functions.f json {"a":1}<|call|>'),
        [(call("functions.f", None, None), '{"a":1}', "<|call|>")],
        id="call without any marker",
    ),
    pytest.param(
        split_text("<|channel|>analysis to=python code\nprint(1)"),
        [(call("python", None, "analysis"), "print(1)", None)],
        id="code without a message marker",
    ),
    pytest.param(split_text("<|channel|>commentary to=functions.f json"), [], id="only the header of a call"),
    pytest.param([], [], id="no pieces"),
    pytest.param([" ", "\n"], [], id="blanks"),
    pytest.param(["<|end|>", "<|return|>", "<|start|>", "assistant"], [], id="only markers"),
]


@pytest.mark.parametrize(("pieces", "expected"), COMPLETIONS)
def test_completions(pieces: list[str], expected: list[tuple[Header, str, str | None]]) -> None:
    assert collect(read(pieces)) == expected


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        (["Hello"], ["header missing"]),
        (split_text("<|channel|>final Hello"), ["header's end missing"]),
        (split_text("<|channel|>final<|message|>Hello"), []),
        (split_text("<|channel|>analysis<|message|>a<|channel|>final<|message|>b"), []),
        (split_text("final<|message|>a<|end|>b"), [MISSING, "header missing"]),
    ],
)
def test_repairs_of_completions(pieces: list[str], expected: list[str]) -> None:
    assert repairs(pieces) == expected


SHORT = ["<|channel|>", "final", "<|message|>", "a", " b", "<|end|>", "<|start|>", "assistant"]
SHORT += ["<|channel|>", "commentary", " to=f", "<|message|>", "{}"]


def test_pieces_joined_in_every_way() -> None:
    expected = messages(SHORT)
    assert [text for _, text in expected] == ["a b", "{}"]
    inner = range(1, len(SHORT))
    for breaks in chain.from_iterable(combinations(inner, size) for size in range(len(SHORT))):
        assert messages(join_pieces(SHORT, breaks)) == expected


@given(st.data())
def test_completions_joined_in_any_way(data: st.DataObject) -> None:
    pieces, expected = data.draw(st.sampled_from([param.values for param in COMPLETIONS]))
    breaks = data.draw(st.lists(st.integers(0, len(pieces)), unique=True).map(sorted))
    # Without joins that turn a marker that is spelled out into a real one.
    if [p for p in pieces if MARKER.search(p)] == MARKER.findall("".join(pieces)):
        assert collect(read(join_pieces(pieces, breaks))) == expected


@pytest.mark.parametrize("marker", MARKERS)
def test_marker_spelled_out_is_text(marker: str) -> None:
    for position in range(1, len(marker)):
        assert messages([marker[:position], marker[position:]], FINAL) == [(FINAL, marker)]
    assert messages([*marker], FINAL) == [(FINAL, marker)]
    assert messages([*"a", *marker]) == [(Header("assistant"), f"a{marker}")]


@pytest.mark.parametrize("marker", MARKERS)
def test_constrained_text_has_no_markers(marker: str) -> None:
    pieces = ['{"a":"', marker, f"b{marker}c", '"}']
    assert messages(pieces, FINAL, constrained=True) == [(FINAL, "".join(pieces))]


@pytest.mark.parametrize("marker", ["<|start|>", "<|end|>", "<|return|>", "<|call|>", "<|channel|>"])
def test_open_message_ends_at_a_marker(marker: str) -> None:
    events = read(["ab", marker], FINAL)
    assert events == [
        TextDelta("ab"),
        MessageEnd(marker if marker in ("<|return|>", "<|call|>") else "<|end|>"),
    ]


def test_empty_open_message() -> None:
    assert read([], ANALYSIS) == [MessageEnd(None)]


# Tokens and their log probabilities.


def token(text: str, logprob: float = -1.0) -> Logprob:
    return Logprob(text, logprob, tuple(text.encode()), (Logprob("x", -2.0),))


def piece_of(*texts: str) -> Piece:
    return Piece("".join(texts), tuple(map(token, texts)))


LIM, END = [token("L"), token("im")], token("<|end|>")


@pytest.mark.parametrize(
    ("piece", "expected"),
    [
        pytest.param(Piece("Lim"), [TextDelta("Lim", 1)], id="no log probabilities"),
        pytest.param(piece_of("Lim"), [TextDelta("Lim", 1, (token("Lim"),))], id="one token"),
        pytest.param(piece_of("L", "im"), [TextDelta("Lim", 2, (*LIM,))], id="two tokens"),
        pytest.param(piece_of("L", "im", "<|end|>"), [TextDelta("Lim", 2, (*LIM,))], id="marker after them"),
        pytest.param(
            piece_of("<|message|>", "L", "im"), [TextDelta("Lim", 2, (*LIM,))], id="marker before them"
        ),
        pytest.param(
            piece_of("a", "<|message|>", "L", "im", "<|message|>"),
            [TextDelta("a", 1, (token("a"),)), TextDelta("Lim", 2, (*LIM,))],
            id="between markers",
        ),
        pytest.param(
            Piece("é", (token("\ufffd"), token("\ufffd"))),
            [TextDelta("é", 2, (token("\ufffd"), token("\ufffd")))],
            id="character in two tokens",
        ),
        pytest.param(
            Piece("a<|message|>b"), [TextDelta("a"), TextDelta("b")], id="marker, no log probabilities"
        ),
        pytest.param(Piece(""), [], id="empty"),
    ],
)
def test_tokens(piece: Piece, expected: list[TextDelta]) -> None:
    assert [event for event in read([piece], FINAL) if isinstance(event, TextDelta)] == expected


def test_tokens_of_constrained_text() -> None:
    assert read([piece_of("a", "<|end|>")], FINAL, constrained=True)[0] == TextDelta(
        "a<|end|>", 2, (token("a"), END)
    )


@given(st.lists(st.lists(st.sampled_from(["a", " b", "<|message|>", "<|constrain|>"]), min_size=1)))
def test_each_token_of_a_text_is_kept_once(groups: list[list[str]]) -> None:
    events = read([piece_of(*group) for group in groups], FINAL)
    tokens = [logprob.token for event in events if isinstance(event, TextDelta) for logprob in event.logprobs]
    assert tokens == [text for group in groups for text in group if not MARKER.search(text)]
    assert sum(event.tokens for event in events if isinstance(event, TextDelta)) == len(tokens)
