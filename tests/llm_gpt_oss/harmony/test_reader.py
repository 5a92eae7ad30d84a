from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import chain, combinations, pairwise, takewhile
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_gpt_oss.completion import Logprob, Piece
from llm_gpt_oss.harmony.conversation import Header, Message
from llm_gpt_oss.harmony.markers import MARKER, neutralise
from llm_gpt_oss.harmony.prompt import OPENER, render_header, render_message
from llm_gpt_oss.harmony.reader import Event, HarmonyReader, MessageEnd, MessageStart, TextDelta, parse_header
from llm_gpt_oss.streaming import translate

MARKERS = ["<|start|>", "<|end|>", "<|message|>", "<|channel|>", "<|constrain|>", "<|return|>", "<|call|>"]
ANALYSIS, COMMENTARY, FINAL = (Header("assistant", each) for each in ("analysis", "commentary", "final"))
JSON = "<|constrain|>json"


def call(name: str, content_type: str | None = JSON, channel: str | None = "commentary") -> Header:
    return Header("assistant", channel, name, content_type)


def cut_up(text: str) -> list[str]:
    "Markers whole, all other text by the character."
    spans = [(0, 0), *(match.span() for match in MARKER.finditer(text)), (len(text), len(text))]
    parts = [[*text[end:start], text[start:stop]] for (_, end), (start, stop) in pairwise(spans)]
    return [part for part in chain(*parts) if part]


def read(pieces: Iterable[str | Piece], opened: Header | None = None, **how: Any) -> list[Event]:
    reader = HarmonyReader(opened, **how)
    return list(translate([Piece(p) if isinstance(p, str) else p for p in pieces], reader))


def folded(events: list[Event], opened: Header | None = None) -> list[tuple[Header, str, str | None]]:
    "Messages with the marker that ended each. Fails where events stand in an order that makes no sense."
    messages: list[tuple[Header, str, str | None]] = []
    header, text = opened, ""
    for event in events:
        match event:
            case MessageStart():
                assert header is None
                header, text = event.header, ""
            case TextDelta():
                assert header is not None
                text += event.text
            case MessageEnd():
                assert header is not None
                messages.append((header, text, event.marker))
                header = None
    assert header is None
    return messages


def messages(pieces: Iterable[str], opened: Header | None = None, **how: Any) -> list[tuple[Header, str]]:
    return [(header, text) for header, text, _ in folded(read(pieces, opened, **how), opened)]


def slips(pieces: Iterable[str]) -> list[str]:
    return [slip for event in read(pieces) if isinstance(event, MessageStart) for slip in event.repairs]


# Headers.

WELL_FORMED = [
    # As openai/harmony's docs and the tests beside its source have them.
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
    # The same with other spaces, in another order, with more said.
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


@pytest.mark.parametrize(("heading", "header"), WELL_FORMED)
def test_headers(heading: str, header: Header) -> None:
    assert parse_header(heading) == (header, ())


MISSING = "channel missing"


@pytest.mark.parametrize(
    ("heading", "header", "mended"),
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
def test_slips_in_headers(heading: str, header: Header, mended: list[str]) -> None:
    assert parse_header(heading) == (header, tuple(mended))


@pytest.mark.parametrize("heading", [heading for heading, _ in WELL_FORMED])
def test_a_header_may_come_in_any_pieces(heading: str) -> None:
    text = f"{heading}<|message|>x"
    [(header, said)] = messages(cut_up(text))
    assert (header, said) == (parse_header(heading)[0], "x")


# Streams. Each as it came from Ollama with gpt-oss-tiny, or as OpenAI's documents have it.

THINKING = ["<|channel|>", "analysis", "<|message|>", "User", " asks", ";", " the", " capital", "."]
AFTER_IT = ["<|end|>", "<|start|>", "assistant", "<|channel|>"]
ANSWERING = [*AFTER_IT, "final", "<|message|>", "The", " capital", " is", " L", "im", "a", "."]
CALL = ["commentary", " to", "=functions", ".get", "_weather", " ", "<|constrain|>", "json", "<|message|>"]
CALLING = [*AFTER_IT, *CALL, '{"', "city", '":"', "O", "s", "lo", '"}']
THOUGHT = (ANALYSIS, "User asks; the capital.", "<|end|>")
STREAMS = [
    pytest.param([*THINKING, *ANSWERING], [THOUGHT, (FINAL, "The capital is Lima.", None)], id="an answer"),
    pytest.param(
        [*THINKING, *CALLING],
        [THOUGHT, (call("functions.get_weather"), '{"city":"Oslo"}', None)],
        id="a call",
    ),
    pytest.param(
        ["<|channel|>", "final", "<|message|>", "I", " did", " not", "."],
        [(FINAL, "I did not.", None)],
        id="no thinking",
    ),
    pytest.param([*THINKING], [(ANALYSIS, "User asks; the capital.", None)], id="only thinking"),
    pytest.param([*THINKING, *ANSWERING[:6]], [THOUGHT, (FINAL, "", None)], id="an answer without a word"),
    pytest.param([*THINKING, *ANSWERING[:1]], [THOUGHT], id="cut behind an end"),
    pytest.param([*THINKING, *ANSWERING[:5]], [THOUGHT], id="cut in a header"),
    pytest.param([*THINKING, *CALLING[:9]], [THOUGHT], id="cut in a name"),
    pytest.param([*THINKING, *CALLING[:12]], [THOUGHT], id="cut before a call's text"),
    pytest.param(
        [*THINKING, *ANSWERING, *ANSWERING],
        [THOUGHT, (FINAL, "The capital is Lima.", "<|end|>"), (FINAL, "The capital is Lima.", None)],
        id="two answers",
    ),
    pytest.param(
        ["<|channel|>", "final", "<|message|>", "The", " tag", " <", "|", "end", "|", ">", " ends"],
        [(FINAL, "The tag <|end|> ends", None)],
        id="a marker spelled out",
    ),
    pytest.param(
        ["<|channel|>", "final", "<|message|>", "next", "\x85", "line", "\u2028", "e", "\u0301", "\u200d"],
        [(FINAL, "next\x85line\u2028e\u0301\u200d", None)],
        id="odd characters",
    ),
    pytest.param(
        cut_up("<|channel|>final<|message|>2 + 2 = 4.<|return|>"),
        [(FINAL, "2 + 2 = 4.", "<|return|>")],
        id="an end that is shown",
    ),
    pytest.param(
        cut_up(
            "<|channel|>commentary<|message|>**Plan**<|end|><|start|>assistant<|channel|>commentary "
            "to=functions.f<|constrain|>json<|message|>{}<|call|>"
        ),
        [(COMMENTARY, "**Plan**", "<|end|>"), (call("functions.f"), "{}", "<|call|>")],
        id="a preamble and a call",
    ),
    pytest.param(
        cut_up("<|start|>assistant<|channel|>final<|message|>a<|end|>"),
        [(FINAL, "a", "<|end|>")],
        id="a start",
    ),
    pytest.param(
        cut_up("<|channel|>analysis<|message|>a<|channel|>final<|message|>b"),
        [(ANALYSIS, "a", "<|end|>"), (FINAL, "b", None)],
        id="a channel in the text",
    ),
    pytest.param(
        cut_up("<|channel|>analysis<|message|>a<|start|>assistant<|channel|>final<|message|>b"),
        [(ANALYSIS, "a", "<|end|>"), (FINAL, "b", None)],
        id="a start in the text",
    ),
    pytest.param(
        cut_up("<|channel|>final<|message|>a<|message|>b<|constrain|>c"),
        [(FINAL, "abc", None)],
        id="markers in the text that mean nothing there",
    ),
    pytest.param(
        cut_up("<|channel|>final<|message|>a<|end|><|start|>user<|message|>b<|end|>"),
        [(FINAL, "a", "<|end|>"), (Header("user"), "b", "<|end|>")],
        id="the user's part too",
    ),
    pytest.param(["Hello", " <", "b>"], [(Header("assistant"), "Hello <b>", None)], id="no header at all"),
    pytest.param(
        ["assistant", "Set", " to=5", "<|end|>"],
        [(Header("assistant"), "Set to=5", "<|end|>")],
        id="a role alone",
    ),
    pytest.param(
        ["analysis of the data"], [(Header("assistant"), "analysis of the data", None)], id="a word"
    ),
    pytest.param(
        cut_up("<|channel|>commentary Hello<|end|>"),
        [(COMMENTARY, "Hello", "<|end|>")],
        id="no message marker",
    ),
    pytest.param(
        cut_up("<|channel|>analysis We\nthink<|start|>assistant<|channel|>final<|message|>b"),
        [(ANALYSIS, "We\nthink", "<|end|>"), (FINAL, "b", None)],
        id="no message marker, no end",
    ),
    pytest.param(
        cut_up('<|channel|>commentary to=functions.f <|constrain|>json{"a":1}'),
        [(call("functions.f"), '{"a":1}', None)],
        id="a call without a message marker",
    ),
    pytest.param(
        cut_up('to=functions.f json {"a":1}<|call|>'),
        [(call("functions.f", None, None), '{"a":1}', "<|call|>")],
        id="a call without any marker",
    ),
    pytest.param(
        cut_up("<|channel|>analysis to=python code\nprint(1)"),
        [(call("python", None, "analysis"), "print(1)", None)],
        id="code without a message marker",
    ),
    pytest.param(cut_up("<|channel|>commentary to=functions.f json"), [], id="a call's header alone"),
    pytest.param([], [], id="nothing"),
    pytest.param([" ", "\n"], [], id="blanks"),
    pytest.param(["<|end|>", "<|return|>", "<|start|>", "assistant"], [], id="ends of nothing"),
]


@pytest.mark.parametrize(("pieces", "expected"), STREAMS)
def test_streams(pieces: list[str], expected: list[tuple[Header, str, str | None]]) -> None:
    assert folded(read(pieces)) == expected


@pytest.mark.parametrize(
    ("pieces", "mended"),
    [
        (["Hello"], ["header missing"]),
        (cut_up("<|channel|>final Hello"), ["header's end missing"]),
        (cut_up("<|channel|>final<|message|>Hello"), []),
        (cut_up("<|channel|>analysis<|message|>a<|channel|>final<|message|>b"), []),
        (cut_up("final<|message|>a<|end|>b"), [MISSING, "header missing"]),
    ],
)
def test_slips_in_streams(pieces: list[str], mended: list[str]) -> None:
    assert slips(pieces) == mended


def joined(pieces: list[str], breaks: Iterable[int]) -> list[str]:
    return ["".join(pieces[a:b]) for a, b in pairwise([0, *breaks, len(pieces)])]


SHORT = ["<|channel|>", "final", "<|message|>", "a", " b", "<|end|>", "<|start|>", "assistant"]
SHORT += ["<|channel|>", "commentary", " to=f", "<|message|>", "{}"]


def test_pieces_may_be_joined_in_every_way() -> None:
    expected = messages(SHORT)
    assert [text for _, text in expected] == ["a b", "{}"]
    inner = range(1, len(SHORT))
    for breaks in chain.from_iterable(combinations(inner, size) for size in range(len(SHORT))):
        assert messages(joined(SHORT, breaks)) == expected


@given(st.data())
def test_recorded_streams_may_be_joined_in_any_way(data: st.DataObject) -> None:
    pieces, expected = data.draw(st.sampled_from([param.values for param in STREAMS]))
    breaks = data.draw(st.lists(st.integers(0, len(pieces)), unique=True).map(sorted))
    # What is spelled out in pieces becomes a marker in one: only the reader of tokens can tell.
    if [p for p in pieces if MARKER.search(p)] == MARKER.findall("".join(pieces)):
        assert folded(read(joined(pieces, breaks))) == expected


@pytest.mark.parametrize("marker", MARKERS)
def test_a_marker_spelled_out_is_text_however_it_is_cut(marker: str) -> None:
    for cut in range(1, len(marker)):
        assert messages([marker[:cut], marker[cut:]], FINAL) == [(FINAL, marker)]
    assert messages([*marker], FINAL) == [(FINAL, marker)]
    assert messages([*"a", *marker]) == [(Header("assistant"), f"a{marker}")]


@pytest.mark.parametrize("marker", MARKERS)
def test_bound_text_holds_no_marker(marker: str) -> None:
    pieces = ['{"a":"', marker, f"b{marker}c", '"}']
    assert messages(pieces, FINAL, constrained=True) == [(FINAL, "".join(pieces))]


@pytest.mark.parametrize("marker", [*MARKERS[:2], *MARKERS[5:], "<|channel|>"])
def test_an_opened_message_ends_at_a_marker(marker: str) -> None:
    events = read(["ab", marker], FINAL)
    assert events == [
        TextDelta("ab"),
        MessageEnd(marker if marker in ("<|return|>", "<|call|>") else "<|end|>"),
    ]


def test_an_opened_message_may_be_empty() -> None:
    assert read([], ANALYSIS) == [MessageEnd(None)]


# Tokens and their log probabilities.


def token(text: str, logprob: float = -1.0) -> Logprob:
    return Logprob(text, logprob, tuple(text.encode()), (Logprob("x", -2.0),))


def spoken(*texts: str) -> Piece:
    return Piece("".join(texts), tuple(map(token, texts)))


LIM, END = [token("L"), token("im")], token("<|end|>")


@pytest.mark.parametrize(
    ("piece", "said"),
    [
        pytest.param(Piece("Lim"), [TextDelta("Lim", 1)], id="unknown"),
        pytest.param(spoken("Lim"), [TextDelta("Lim", 1, (token("Lim"),))], id="one"),
        pytest.param(spoken("L", "im"), [TextDelta("Lim", 2, (*LIM,))], id="joined"),
        pytest.param(spoken("L", "im", "<|end|>"), [TextDelta("Lim", 2, (*LIM,))], id="with a marker behind"),
        pytest.param(
            spoken("<|message|>", "L", "im"), [TextDelta("Lim", 2, (*LIM,))], id="with a marker before"
        ),
        pytest.param(
            spoken("a", "<|message|>", "L", "im", "<|message|>"),
            [TextDelta("a", 1, (token("a"),)), TextDelta("Lim", 2, (*LIM,))],
            id="between markers",
        ),
        pytest.param(
            Piece("é", (token("\ufffd"), token("\ufffd"))),
            [TextDelta("é", 2, (token("\ufffd"), token("\ufffd")))],
            id="a character in two tokens",
        ),
        pytest.param(Piece("a<|message|>b"), [TextDelta("a"), TextDelta("b")], id="markers, unknown"),
        pytest.param(Piece(""), [], id="empty"),
    ],
)
def test_tokens(piece: Piece, said: list[TextDelta]) -> None:
    assert [event for event in read([piece], FINAL) if isinstance(event, TextDelta)] == said


def test_tokens_of_bound_text_stay_together() -> None:
    assert read([spoken("a", "<|end|>")], FINAL, constrained=True)[0] == TextDelta(
        "a<|end|>", 2, (token("a"), END)
    )


@given(st.lists(st.lists(st.sampled_from(["a", " b", "<|message|>", "<|constrain|>"]), min_size=1)))
def test_every_token_of_the_text_is_there_once(groups: list[list[str]]) -> None:
    events = read([spoken(*group) for group in groups], FINAL)
    tokens = [logprob.token for event in events if isinstance(event, TextDelta) for logprob in event.logprobs]
    assert tokens == [text for group in groups for text in group if not MARKER.search(text)]
    assert sum(event.tokens for event in events if isinstance(event, TextDelta)) == len(tokens)


# There and back.

SCRAPS = st.sampled_from(
    [*MARKERS, "<|", "|>", "<", ">", "end", "\u2060", "to=functions.f", "assistant", "{}"]
)
TEXT = st.lists(SCRAPS | st.text(max_size=4), max_size=6).map("".join)
WORDS = st.from_regex(r"[A-Za-z0-9_.-]{1,8}", fullmatch=True)
CHANNEL = st.sampled_from(["analysis", "commentary", "final"])
HEADERS = st.one_of(
    st.builds(Header, st.just("assistant"), CHANNEL),
    st.builds(
        Header,
        st.just("assistant"),
        CHANNEL,
        WORDS.map("functions.{}".format),
        st.sampled_from([None, JSON, "json", "code"]),
    ),
    st.builds(
        Header,
        st.just("tool"),
        st.none() | CHANNEL,
        st.sampled_from([None, "assistant"]),
        name=WORDS.map("functions.{}".format),
    ),
    st.builds(Header, st.sampled_from(["user", "system", "developer"]), name=st.none() | WORDS),
)
MESSAGES = st.lists(st.builds(Message, HEADERS, TEXT), max_size=4)


def safe(message: Message) -> Message:
    return replace(message, text=neutralise(message.text))


@given(MESSAGES, st.data())
def test_what_is_rendered_is_read(written: list[Message], data: st.DataObject) -> None:
    pieces = cut_up("".join(map(render_message, written)))
    breaks = data.draw(st.lists(st.integers(0, len(pieces)), unique=True).map(sorted))
    found = folded(read(joined(pieces, breaks)))
    assert [Message(header, text) for header, text, _ in found] == [*map(safe, written)]
    assert [marker for *_, marker in found] == [
        "<|call|>" if message.header.role == "assistant" and message.header.recipient else "<|end|>"
        for message in written
    ]


@given(MESSAGES.filter(bool))
def test_what_is_rendered_has_no_slips(written: list[Message]) -> None:
    assert slips(cut_up("".join(map(render_message, written)))) == []


@given(st.builds(Message, HEADERS.filter(lambda header: header.role == "assistant"), TEXT))
def test_an_answer_behind_the_opener_is_read(message: Message) -> None:
    answer = render_message(message).removeprefix(OPENER)
    assert messages(cut_up(answer)) == [(message.header, neutralise(message.text))]


@given(st.builds(Message, HEADERS, TEXT))
def test_an_answer_behind_an_opened_header_is_read(message: Message) -> None:
    rest = render_message(message).removeprefix(render_header(message.header))
    assert messages(cut_up(rest), message.header) == [(message.header, neutralise(message.text))]


@given(TEXT)
def test_no_text_that_was_neutralised_opens_or_closes_a_message(text: str) -> None:
    assert messages([neutralise(text)], FINAL) == [(FINAL, neutralise(text))]


@given(
    st.lists(st.sampled_from([*MARKERS, "assistant", "final", " to=functions.f", "json", "user", "{}", " "]))
)
def test_whatever_comes_is_read(pieces: list[str]) -> None:
    "And in an order that makes sense, or `folded` fails."
    found = folded(read(pieces, FINAL), FINAL)
    mere = ["<|message|>", "<|constrain|>"]
    in_it = takewhile(lambda piece: piece in mere or piece not in MARKERS, pieces)
    assert found[0][:2] == (FINAL, "".join(piece for piece in in_it if piece not in mere))
