"""Messages that are rendered and read again, and texts that must not become markers on the way."""

from __future__ import annotations

from dataclasses import replace
from itertools import takewhile

from hypothesis import given
from hypothesis import strategies as st
from support.harmony_reading import collect, join_pieces, messages, read, repairs, split_text

from llm_gpt_oss.harmony.conversation import Header, Message
from llm_gpt_oss.harmony.markers import MARKERS, neutralise
from llm_gpt_oss.harmony.prompt import OPENER, render_header, render_message

FINAL = Header("assistant", "final")
JSON = "<|constrain|>json"

SCRAPS = st.sampled_from(
    [*MARKERS, "<|", "|>", "<", ">", "end", "\u2060", "to=functions.f", "assistant", "{}"]
)
TEXT = st.lists(SCRAPS | st.text(max_size=4), max_size=6).map("".join)
WORDS = st.from_regex(r"[A-Za-z0-9_.-]{1,8}", fullmatch=True)
CHANNELS = st.sampled_from(["analysis", "commentary", "final"])
HEADERS = st.one_of(
    st.builds(Header, st.just("assistant"), CHANNELS),
    st.builds(
        Header,
        st.just("assistant"),
        CHANNELS,
        WORDS.map("functions.{}".format),
        st.sampled_from([None, JSON, "json", "code"]),
    ),
    st.builds(
        Header,
        st.just("tool"),
        st.none() | CHANNELS,
        st.sampled_from([None, "assistant"]),
        name=WORDS.map("functions.{}".format),
    ),
    st.builds(Header, st.sampled_from(["user", "system", "developer"]), name=st.none() | WORDS),
)
MESSAGES = st.lists(st.builds(Message, HEADERS, TEXT), max_size=4)


def neutralised(message: Message) -> Message:
    return replace(message, text=neutralise(message.text))


@given(MESSAGES, st.data())
def test_rendered_messages_are_read(written: list[Message], data: st.DataObject) -> None:
    pieces = split_text("".join(map(render_message, written)))
    breaks = data.draw(st.lists(st.integers(0, len(pieces)), unique=True).map(sorted))
    parsed = collect(read(join_pieces(pieces, breaks)))
    assert [Message(header, text) for header, text, _ in parsed] == [*map(neutralised, written)]
    assert [marker for *_, marker in parsed] == [
        "<|call|>" if message.header.role == "assistant" and message.header.recipient else "<|end|>"
        for message in written
    ]


@given(MESSAGES.filter(bool))
def test_rendered_messages_need_no_repairs(written: list[Message]) -> None:
    assert repairs(split_text("".join(map(render_message, written)))) == []


@given(st.builds(Message, HEADERS.filter(lambda header: header.role == "assistant"), TEXT))
def test_message_after_the_opener_is_read(message: Message) -> None:
    answer = render_message(message).removeprefix(OPENER)
    assert messages(split_text(answer)) == [(message.header, neutralise(message.text))]


@given(st.builds(Message, HEADERS, TEXT))
def test_text_after_an_open_header_is_read(message: Message) -> None:
    rest = render_message(message).removeprefix(render_header(message.header))
    assert messages(split_text(rest), message.header) == [(message.header, neutralise(message.text))]


@given(TEXT)
def test_neutralised_text_has_no_markers(text: str) -> None:
    assert messages([neutralise(text)], FINAL) == [(FINAL, neutralise(text))]


@given(
    st.lists(st.sampled_from([*MARKERS, "assistant", "final", " to=functions.f", "json", "user", "{}", " "]))
)
def test_any_pieces_are_read(pieces: list[str]) -> None:
    "The events are in a possible order. Otherwise `collect` fails."
    parsed = collect(read(pieces, FINAL), FINAL)
    dropped = ["<|message|>", "<|constrain|>"]
    first = takewhile(lambda piece: piece in dropped or piece not in MARKERS, pieces)
    assert parsed[0][:2] == (FINAL, "".join(piece for piece in first if piece not in dropped))
