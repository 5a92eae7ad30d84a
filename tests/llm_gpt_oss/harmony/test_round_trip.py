"""Messages that are rendered and read again, and texts that must not become markers on the way."""

from __future__ import annotations

from itertools import takewhile

from hypothesis import given
from hypothesis import strategies as st
from support.harmony_reading import collect, join_pieces, messages, read, split_text, starts

from llm_gpt_oss.harmony.conversation import Header, Message
from llm_gpt_oss.harmony.header import ParsedHeader
from llm_gpt_oss.harmony.markers import MARKERS, neutralise, restore
from llm_gpt_oss.harmony.prompt import OPENER, render_header, render_message
from llm_gpt_oss.harmony.reader import MessageStart, StrayText

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


def names(written: list[Message]) -> tuple[str, ...]:
    "The names of all tools in the headers."
    headers = [message.header for message in written]
    recipients = [header.recipient if header.role == "assistant" else header.name for header in headers]
    return tuple(name.removeprefix("functions.") for name in recipients if name)


@given(MESSAGES, st.data())
def test_rendered_messages_are_read(written: list[Message], data: st.DataObject) -> None:
    "Special tokens in their texts are neutralised, and restored."
    pieces = split_text("".join(map(render_message, written)))
    breaks = data.draw(st.lists(st.integers(0, len(pieces)), unique=True).map(sorted))
    assert collect(read(join_pieces(pieces, breaks))) == [
        (
            message.header,
            restore(message.text),
            "<|call|>" if message.header.role == "assistant" and message.header.recipient else "<|end|>",
        )
        for message in written
    ]


@given(MESSAGES.filter(bool))
def test_rendered_messages_need_no_repairs(written: list[Message]) -> None:
    pieces = split_text("".join(map(render_message, written)))
    expected = [MessageStart(ParsedHeader(message.header)) for message in written]
    assert starts(pieces) == starts(pieces, tools=names(written)) == expected


@given(st.builds(Message, HEADERS.filter(lambda header: header.role == "assistant"), TEXT))
def test_message_after_the_opener_is_read(message: Message) -> None:
    answer = render_message(message).removeprefix(OPENER)
    assert messages(split_text(answer)) == [(message.header, restore(message.text))]
    assert messages(split_text(answer), tools=names([message])) == [(message.header, restore(message.text))]


@given(st.builds(Message, HEADERS, TEXT))
def test_text_after_an_open_header_is_read(message: Message) -> None:
    rest = render_message(message).removeprefix(render_header(message.header))
    assert messages(split_text(rest), message.header) == [(message.header, restore(message.text))]


@given(TEXT)
def test_neutralised_text_has_no_markers(text: str) -> None:
    assert messages([neutralise(text)], FINAL) == [(FINAL, restore(text))]


@given(
    st.lists(st.sampled_from([*MARKERS, "assistant", "final", " to=functions.f", "json", "user", "{}", " "]))
)
def test_any_pieces_are_read(pieces: list[str]) -> None:
    "The events are in a possible order. Otherwise `collect` fails."
    parsed = collect(read(pieces, FINAL), FINAL)
    dropped = ["<|message|>", "<|constrain|>"]
    first = takewhile(lambda piece: piece in dropped or piece not in MARKERS, pieces)
    assert not isinstance(parsed[0], StrayText)
    assert parsed[0][:2] == (FINAL, "".join(piece for piece in first if piece not in dropped))
