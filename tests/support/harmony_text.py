"""The events of the plugin for a turn, with the part indexes and metadata that it sets.

[*think(0, "h", "m"), *say(1, "Hi"), done()]
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from hypothesis import strategies as st
from llm.parts import StreamEvent

from llm_gpt_oss.completion import Logprob
from llm_gpt_oss.turn.events import AnswerEvent
from llm_gpt_oss.turn.messages import PREAMBLE, SEPARATOR, arguments_metadata
from proxy.generation import Finished, TokenUsage

CUSTOM = frozenset({"patch", "files.patch"})
USAGE = TokenUsage(10, 5, 3)
COMPLETED_AT = 1_700_000_009

Events = list[StreamEvent | Finished]


def think(message: int, *texts: str) -> list[StreamEvent]:
    return [StreamEvent("reasoning", text, part_index=2 * message) for text in texts]


def announce(message: int, *texts: str) -> list[StreamEvent]:
    "The events of a preamble."
    return [StreamEvent("text", text, part_index=2 * message, provider_metadata=PREAMBLE) for text in texts]


def say(message: int, *texts: str, logprobs: tuple[Logprob, ...] = ()) -> list[StreamEvent]:
    return [AnswerEvent("text", text, part_index=2 * message, logprobs=logprobs) for text in texts]


def blank_line(message: int) -> StreamEvent:
    "The separator before the text of `message`."
    return StreamEvent("text", "\n\n", part_index=2 * message - 1, provider_metadata=SEPARATOR)


def call(message: int, name: str, arguments: str = "{}") -> list[StreamEvent]:
    value = json.loads(arguments) if arguments.strip() else {}
    part_index, call_id = 2 * message, f"call_{message}"
    metadata = arguments_metadata(value, arguments)
    return [
        StreamEvent("tool_call_name", name, part_index, call_id, provider_metadata=metadata),
        StreamEvent("tool_call_args", arguments, part_index, call_id),
    ]


def done(reason: str = "stop") -> Finished:
    return Finished(reason, USAGE, COMPLETED_AT)


TEXT = st.text(max_size=4) | st.sampled_from(["é", "日本", "🎉", "\n\n", '"', "\u2028"])
TEXTS = st.lists(TEXT, max_size=4)
TOKEN = st.builds(Logprob, TEXT, st.floats(-9, 0), st.none() | st.just((226, 128)))
LOGPROB = st.builds(
    Logprob,
    TEXT,
    st.floats(-9, 0),
    st.none() | st.lists(st.integers(0, 255), max_size=4).map(tuple),
    st.lists(TOKEN, max_size=2).map(tuple),
)
NAME = st.sampled_from(["add", "crm.find", "patch", "files.patch"])
OBJECT = st.dictionaries(TEXT, TEXT | st.integers() | st.lists(st.none(), max_size=2), max_size=2)
ARGUMENTS = (
    OBJECT.map(json.dumps)
    | OBJECT.map(lambda value: json.dumps(value, indent=1, ensure_ascii=False) + "\n")
    | TEXT.map(lambda text: json.dumps({"input": text}))
    | st.sampled_from(["", " "])
)


@st.composite
def answers(draw: st.DrawFn, message: int) -> list[StreamEvent]:
    with_logprobs = st.lists(LOGPROB, max_size=3).map(tuple) if draw(st.booleans()) else st.just(())
    return [
        event
        for text in draw(TEXTS)
        for event in say(message, text, logprobs=draw(with_logprobs) if text else ())
    ]


@st.composite
def turns(draw: st.DrawFn) -> list[StreamEvent]:
    "Draw the events of a turn: any channels in any order, or none."
    channels = draw(st.lists(st.sampled_from(["think", "announce", "say", "call"]), max_size=6))
    return [*_events(draw, channels)]


def _events(draw: st.DrawFn, channels: list[str]) -> Iterator[StreamEvent]:
    visible = False
    for message, channel in enumerate(channels):
        if channel in ("announce", "say"):
            if visible:
                yield blank_line(message)
            visible = True
        match channel:
            case "think":
                yield from think(message, *draw(TEXTS))
            case "announce":
                yield from announce(message, *draw(TEXTS))
            case "say":
                yield from draw(answers(message))
            case _:
                yield from call(message, draw(NAME), draw(ARGUMENTS))
