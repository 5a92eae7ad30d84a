from __future__ import annotations

from itertools import chain, combinations, pairwise
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.harmony_reading import Collected, collect, join_pieces, messages, read, split_text, starts

from llm_gpt_oss.completion import Logprob, Piece
from llm_gpt_oss.harmony.conversation import Header
from llm_gpt_oss.harmony.header import ParsedHeader
from llm_gpt_oss.harmony.markers import MARKERS, WORD_JOINER, neutralise, restore
from llm_gpt_oss.harmony.reader import (
    HarmonyReader,
    MessageEnd,
    MessageStart,
    StrayMarker,
    StrayText,
    TextDelta,
)

ANALYSIS, COMMENTARY, FINAL = (
    Header("assistant", channel) for channel in ("analysis", "commentary", "final")
)
JSON = "<|constrain|>json"


def call(name: str, content_type: str | None = JSON, channel: str | None = "commentary") -> Header:
    return Header("assistant", channel, name, content_type)


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
    pytest.param(["Hello", " <", "b>"], [StrayText("Hello <b>", False)], id="no header"),
    pytest.param(["assistant", "Set", " to=5", "<|end|>"], [StrayText("Set to=5", False)], id="only a role"),
    pytest.param(
        ["analysis of the data"], [StrayText("analysis of the data", False)], id="word that is a channel"
    ),
    pytest.param(
        split_text("<|channel|>commentary Hello<|end|>"),
        [StrayText("Hello", True)],
        id="preamble without a message marker",
    ),
    pytest.param(
        split_text("<|channel|>final Hello<|return|>"),
        [StrayText("Hello", True)],
        id="answer without a message marker",
    ),
    pytest.param(
        split_text("<|channel|>??<|end|><|start|>assistant<|channel|>final<|message|>b"),
        [StrayText("??", True), (FINAL, "b", None)],
        id="channel of punctuation",
    ),
    pytest.param(
        split_text("<|constrain|>json Hello<|end|>"), [StrayText(" Hello", True)], id="only a content type"
    ),
    pytest.param(
        split_text("Oops<|start|>assistant<|channel|>final<|message|>b"),
        [StrayText("Oops", False), (FINAL, "b", None)],
        id="text before the first header",
    ),
    pytest.param(
        split_text("<|channel|>final<|message|>a<|end|>Oops<|start|>assistant<|channel|>final<|message|>b"),
        [(FINAL, "a", "<|end|>"), StrayText("Oops", False), (FINAL, "b", None)],
        id="text between messages",
    ),
    pytest.param(
        split_text("<|channel|>final<|message|>a<|end|>Oops"),
        [(FINAL, "a", "<|end|>"), StrayText("Oops", False)],
        id="text after a message",
    ),
    pytest.param(
        split_text("<|channel|>final<|message|>a<|call|>Oops<|end|>"),
        [(FINAL, "a", "<|call|>"), StrayText("Oops", False)],
        id="text after a call marker",
    ),
    pytest.param(
        split_text("Oops <|channel|>final Hello"),
        [StrayText("Oops final Hello", True)],
        id="text before a header without a message marker",
    ),
    pytest.param(
        split_text("<|channel|>analysis We\nthink<|start|>assistant<|channel|>final<|message|>b"),
        [(ANALYSIS, "We\nthink", "<|end|>"), (FINAL, "b", None)],
        id="no message marker, no end",
    ),
    pytest.param(
        split_text("<|channel|>analysis We think.<|channel|>final<|message|>b"),
        [(ANALYSIS, "We think.", "<|end|>"), (FINAL, "b", None)],
        id="no message marker, no end, no start",
    ),
    pytest.param(
        split_text("<|channel|>commentary Look.<|channel|>analysis Hm.<|channel|>final Yes.<|return|>"),
        [StrayText("Look.", True), (ANALYSIS, "Hm.", "<|end|>"), StrayText("Yes.", True)],
        id="channels without message markers",
    ),
    pytest.param(
        split_text("<|channel|>analysis Hm.<|channel|>analysis So.<|call|>"),
        [(ANALYSIS, "Hm.", "<|end|>"), (ANALYSIS, "So.", "<|call|>")],
        id="thoughts without message markers",
    ),
    pytest.param(
        split_text('<|channel|>commentary to=functions.f{"a":1}<|channel|>final<|message|>b'),
        [(call("functions.f", None), '{"a":1}', "<|end|>"), (FINAL, "b", None)],
        id="call without a message marker before an answer",
    ),
    pytest.param(
        split_text("<|channel|>analysis We <|constrain|>think"),
        [(ANALYSIS, "We think", None)],
        id="constrain in a text without a message marker",
    ),
    pytest.param(
        ["<|channel|>", "analysis", " The tag <", "|channel|>", " opens"],
        [(ANALYSIS, "The tag <|channel|> opens", None)],
        id="marker spelled out without a message marker",
    ),
    pytest.param(
        ["The tag <", "|channel|>", " opens"],
        [StrayText("The tag <|channel|> opens", False)],
        id="marker spelled out without a header",
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
def test_completions(pieces: list[str], expected: list[Collected | StrayText]) -> None:
    assert collect(read(pieces)) == expected


MISSING = "channel missing"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("Hello", [], id="no header"),
        pytest.param("<|channel|>final Hello", [], id="answer without a message marker"),
        pytest.param(
            "<|channel|>analysis Hello",
            [MessageStart(ParsedHeader(ANALYSIS), is_whole=False)],
            id="reasoning without a message marker",
        ),
        pytest.param(
            '<|channel|>commentary to=f{"a":1}',
            [MessageStart(ParsedHeader(call("functions.f", None), (), "f"), is_whole=False)],
            id="call without a message marker",
        ),
        pytest.param("<|channel|>final<|message|>Hello", [MessageStart(ParsedHeader(FINAL))], id="whole"),
        pytest.param(
            "<|channel|>analysis<|message|>a<|channel|>final<|message|>b",
            [MessageStart(ParsedHeader(ANALYSIS)), MessageStart(ParsedHeader(FINAL))],
            id="end missing",
        ),
        pytest.param(
            "final<|message|>a<|end|>b",
            [MessageStart(ParsedHeader(FINAL, (MISSING,)))],
            id="channel missing",
        ),
        pytest.param(
            "<|channel|>commentary f <|constrain|>json<|message|>{}",
            [MessageStart(ParsedHeader(call("functions.f"), (), "f"))],
            id="name without to=",
        ),
    ],
)
def test_starts(text: str, expected: list[MessageStart]) -> None:
    assert starts(split_text(text), tools=("f",)) == expected
    assert [start.header for start in expected] == [start.parsed.header for start in expected]


F_CALL = call("functions.f", "json")


@pytest.mark.parametrize(
    ("text", "header"),
    [
        pytest.param("f<|channel|>commentary json<|message|>{}", F_CALL, id="after the opener: a call"),
        pytest.param("<|end|>f<|message|>{}", Header("tool", name="f"), id="after an end: a result"),
        pytest.param("<|start|>f<|message|>{}", Header("tool", name="f"), id="after a start: a result"),
        pytest.param(
            "<|start|>assistant f json<|message|>{}", call("functions.f", "json", None), id="after a role"
        ),
        pytest.param("user<|message|>a", Header("assistant"), id="after the opener: a word"),
        pytest.param("<|start|>user<|message|>a", Header("user"), id="after a start: an author"),
        pytest.param("<|end|>user<|message|>a", Header("user"), id="after an end: an author"),
    ],
)
def test_the_author_stands_where_a_message_starts(text: str, header: Header) -> None:
    assert [start.header for start in starts(split_text(text), tools=("f",))] == [header]


def test_an_author_may_follow_a_message() -> None:
    pieces = ["a", "<|end|>", "user", "<|message|>", "b"]
    expected = [(FINAL, "a"), (Header("user"), "b")]
    assert messages(pieces, FINAL) == expected
    assert messages(["<|channel|>", "final", "<|message|>", *pieces]) == expected


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
    joined = join_pieces(pieces, breaks)
    # Without joins that turn a marker that is spelled out into a real one.
    if [piece for piece in joined if piece in MARKERS] == [piece for piece in pieces if piece in MARKERS]:
        assert collect(read(joined)) == expected


@pytest.mark.parametrize("marker", MARKERS)
def test_marker_spelled_out_is_text(marker: str) -> None:
    for position in range(1, len(marker)):
        assert messages([marker[:position], marker[position:]], FINAL) == [(FINAL, marker)]
    assert messages([*marker], FINAL) == [(FINAL, marker)]
    assert read([*"a", *marker]) == [StrayText(f"a{marker}", False)]


@pytest.mark.parametrize("marker", MARKERS)
def test_marker_in_a_longer_piece_is_text(marker: str) -> None:
    for piece in (f"a{marker}", f"{marker}b", f" {marker}", marker * 2):
        assert messages([piece], FINAL) == [(FINAL, piece)]
        assert read([piece]) == [StrayText(piece, False)]


def test_marker_spelled_out_in_a_header_is_text() -> None:
    pieces = ["<|channel|>", "final", " <|chan", "nel|>analysis", "<|message|>", "a"]
    assert messages(pieces) == [(FINAL, "a")]


@pytest.mark.parametrize("marker", MARKERS)
def test_constrained_text_has_no_markers(marker: str) -> None:
    pieces = ['{"a":"', marker, f"b{marker}c", '"}']
    assert messages(pieces, FINAL, constrained=True) == [(FINAL, "".join(pieces))]


@pytest.mark.parametrize("marker", ["<|end|>", "<|return|>", "<|call|>"])
def test_open_message_ends_at_a_marker(marker: str) -> None:
    assert read(["ab", marker], FINAL) == [TextDelta("ab"), MessageEnd(marker)]


@pytest.mark.parametrize("marker", ["<|start|>", "<|channel|>"])
def test_open_message_ends_where_another_one_begins(marker: str) -> None:
    first, end, *stray = read(["ab", marker], FINAL)
    assert (first, end) == (TextDelta("ab"), MessageEnd("<|end|>", ("its end was missing",)))
    assert stray == ([StrayMarker(marker)] if marker == "<|channel|>" else [])


def test_markers_in_a_text_are_one_repair_of_its_message() -> None:
    events = read(
        ["a", "<|message|>", "b", "<|constrain|>", "<|end|>", "<|start|>", "x", "<|message|>"], FINAL
    )
    ends = [event for event in events if isinstance(event, MessageEnd)]
    assert ends == [MessageEnd("<|end|>", ("a marker in the text was left out",)), MessageEnd(None)]


def test_empty_open_message() -> None:
    assert read([], ANALYSIS) == [MessageEnd(None)]


# Tokens and their log probabilities.


def token(text: str, logprob: float = -1.0) -> Logprob:
    return Logprob(text, logprob, tuple(text.encode()), (Logprob("x", -2.0),))


def piece_of(*texts: str) -> Piece:
    return Piece("".join(texts), tuple(map(token, texts)))


LIM = [token("L"), token("im")]


@pytest.mark.parametrize(
    ("piece", "expected"),
    [
        pytest.param(Piece("Lim"), [TextDelta("Lim", 1)], id="no log probabilities"),
        pytest.param(piece_of("Lim"), [TextDelta("Lim", 1, (token("Lim"),))], id="one token"),
        pytest.param(piece_of("L", "im"), [TextDelta("Lim", 2, (*LIM,))], id="two tokens"),
        pytest.param(
            Piece("é", (token("\ufffd"), token("\ufffd"))),
            [TextDelta("é", 2, (token("\ufffd"), token("\ufffd")))],
            id="character in two tokens",
        ),
        pytest.param(Piece("ab", tokens=3), [TextDelta("ab", 3)], id="joined by the engine"),
        pytest.param(piece_of("<|message|>"), [], id="marker"),
        pytest.param(
            piece_of("a", "<|message|>"),
            [TextDelta("a<|message|>", 2, (token("a"), token("<|message|>")))],
            id="marker in a longer piece",
        ),
        pytest.param(Piece(""), [], id="empty"),
    ],
)
def test_tokens(piece: Piece, expected: list[TextDelta]) -> None:
    assert [event for event in read([piece], FINAL) if isinstance(event, TextDelta)] == expected


def test_tokens_of_constrained_text() -> None:
    assert read([piece_of("a"), piece_of("<|end|>")], FINAL, constrained=True) == [
        TextDelta("a", 1, (token("a"),)),
        TextDelta("<|end|>", 1, (token("<|end|>"),)),
        MessageEnd(None),
    ]


SCRAPS = [
    "a",
    " b",
    "<",
    "|end|>",
    f"<{WORD_JOINER}",
    f"<{WORD_JOINER}|end|>",
    "<|message|>",
    "<|constrain|>",
]


@given(st.lists(st.lists(st.sampled_from(SCRAPS), min_size=1)))
def test_each_token_of_a_text_is_kept_once(groups: list[list[str]]) -> None:
    pieces = [piece_of(*group) for group in groups]
    deltas = [event for event in read(pieces, FINAL) if isinstance(event, TextDelta)]
    tokens = [logprob.token for delta in deltas for logprob in delta.logprobs]
    assert tokens == [
        logprob.token for piece in pieces if piece.text not in MARKERS for logprob in piece.logprobs
    ]
    assert sum(delta.tokens for delta in deltas) == len(tokens)


# Text that the model copied from a neutralised text.

END_TAG = f"<{WORD_JOINER}|end|>"


@pytest.mark.parametrize("marker", [*MARKERS, "<|endoftext|>", "<|reserved_200000|>"])
def test_neutralised_marker_is_restored(marker: str) -> None:
    copied = neutralise(marker)
    for position in range(len(copied) + 1):
        pieces = ["a", copied[:position], copied[position:], "b"]
        assert messages(pieces, FINAL) == [(FINAL, f"a{marker}b")]
        assert messages(pieces, FINAL, constrained=True) == [(FINAL, f"a{marker}b")]
        assert read(pieces) == [StrayText(f"a{marker}b", False)]
        assert messages(["<|channel|>", "analysis", " ", *pieces]) == [(ANALYSIS, f"a{marker}b")]
    assert messages([*copied], FINAL) == [(FINAL, marker)]


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        pytest.param([END_TAG], [TextDelta("<|end|>")], id="in one piece"),
        pytest.param([*END_TAG], [TextDelta("<|end|>", 8)], id="in many pieces"),
        pytest.param(["a", " <", "b"], [TextDelta("a"), TextDelta(" <"), TextDelta("b")], id="another tag"),
        pytest.param(["a <"], [TextDelta("a <")], id="only the beginning"),
        pytest.param(
            ["<", WORD_JOINER, "|end", "|> c"],
            [TextDelta("<|end|> c", 4)],
            id="text after it in the same piece",
        ),
        pytest.param(["<", "", "b"], [TextDelta("<"), TextDelta("b")], id="empty piece"),
        pytest.param(
            ["<", "<|message|>", f"{WORD_JOINER}|end|>"],
            [TextDelta("<"), TextDelta(f"{WORD_JOINER}|end|>")],
            id="a marker in between",
        ),
        pytest.param(
            [f"<{WORD_JOINER}", "|x", "|>"],
            [TextDelta(f"<{WORD_JOINER}"), TextDelta("|x"), TextDelta("|>")],
            id="another name",
        ),
    ],
)
def test_restored_deltas(pieces: list[str], expected: list[TextDelta]) -> None:
    *deltas, end = read(pieces, FINAL)
    assert deltas == expected
    assert isinstance(end, MessageEnd)


def test_log_probabilities_of_a_restored_text() -> None:
    pieces = [piece_of("<", WORD_JOINER), piece_of("|end|>")]
    tokens = (token("<"), token(WORD_JOINER), token("|end|>"))
    assert read(pieces, FINAL) == [TextDelta("<|end|>", 3, tokens), MessageEnd(None)]


def test_text_waits_only_inside_a_neutralised_token() -> None:
    reader = HarmonyReader(FINAL)
    arrived = [
        "".join(event.text for event in reader.feed(Piece(text)) if isinstance(event, TextDelta))
        for text in ("a<", f"{WORD_JOINER}|e", "nd|", ">b", "<", "c")
    ]
    assert arrived == ["", "", "", "a<|end|>b", "", "<c"]


COPIED = st.sampled_from(
    [END_TAG, f"<{WORD_JOINER}", WORD_JOINER, "<", "|", "end", "|>", "<|", "a", "<|call|>"]
)


@given(st.lists(COPIED, max_size=10), st.data())
def test_text_cut_anywhere_is_restored(scraps: list[str], data: st.DataObject) -> None:
    text = "".join(scraps)
    cuts = data.draw(st.lists(st.integers(0, len(text)), unique=True).map(sorted))
    pieces = [text[start:end] for start, end in pairwise([0, *cuts, len(text)])]
    if not {*MARKERS} & {*pieces}:
        assert messages(pieces, FINAL) == [(FINAL, restore(text))]


# Long texts.


@pytest.mark.parametrize(
    "scrap", ["word ", "<|channel|>", "<|constrain|>", "<|start|>", "to=f ", "<", "<|", "> <"], ids=str
)
@pytest.mark.parametrize("start", ["", "<|channel|>analysis<|message|>"], ids=["header", "message"])
def test_long_texts(start: str, scrap: str) -> None:
    pieces = [*split_text(start), *[scrap] * 20_000]
    started = process_time()
    read(pieces, tools=("f",))
    assert process_time() - started < 10
