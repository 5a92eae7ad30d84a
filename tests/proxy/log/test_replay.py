"A turn from the log makes the same answers and the same streams as when it was made."

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import llm
import pytest
from hypothesis import given
from hypothesis import strategies as st
from llm.parts import Message, ReasoningPart, StreamEvent, TextPart, ToolResultPart
from support.harmony_text import CUSTOM, announce, blank_line, call, done, say, think, turns

from llm_gpt_oss.completion import Logprob
from llm_gpt_oss.streaming import translate
from llm_gpt_oss.turn.events import AnswerEvent, logprob_json
from llm_gpt_oss.turn.messages import PREAMBLE
from proxy.api.chat_completions.writer import REASONING_NAMES, ChatWriter
from proxy.api.responses import response_object as whole
from proxy.api.responses.writer import ResponsesWriter
from proxy.generation import Finished, GenerationRequest
from proxy.log.replay import PieceLengths, replay_events

HM = Logprob("Hm", -0.5, (72, 109), (Logprob("Hm", -0.5, (72, 109)), Logprob("é", -1.5)))
PIECE = Logprob("\ufffd", -0.5)
TURN = "01k3zq8w5m7xv9e2r4t6y8b0cd"


class ScriptedModel(llm.Model):
    "A model that says what it was made with."

    model_id = "saying"

    def __init__(self, events: Sequence[StreamEvent]) -> None:
        self._events = events

    def execute(self, *_: Any, **__: Any) -> Iterator[StreamEvent]:
        yield from self._events


def logged(events: Sequence[StreamEvent]) -> list[Message]:
    "What llm makes of the events, as its log gives it back."
    response = ScriptedModel(events).prompt("Go")
    messages = [message for message in response.messages() if message.parts]
    return [Message.from_dict(json.loads(json.dumps(message.to_dict()))) for message in messages]


def lengths(events: Sequence[StreamEvent]) -> list[list[int]]:
    pieces = PieceLengths()
    for event in events:
        pieces.feed(event)
    return pieces.lengths


def logprobs(events: Sequence[StreamEvent]) -> list[dict[str, Any]]:
    "As the turn's record has them."
    given = [each for event in events if isinstance(event, AnswerEvent) for each in event.logprobs]
    recorded: list[dict[str, Any]] = json.loads(json.dumps([logprob_json(each) for each in given]))
    return recorded


def replay(
    events: Sequence[StreamEvent], finished: Finished | None = None, **how: Any
) -> list[StreamEvent | Finished]:
    known = {"pieces": lengths(events), "logprobs": logprobs(events), **how}
    return [*replay_events(logged(events), finished=finished, **known)]


def comparable(events: Sequence[StreamEvent | Finished]) -> list[Any]:
    "All that a writer may look at, but for the number of the part."
    return [
        event
        if isinstance(event, Finished)
        else (
            event.type,
            event.chunk,
            event.tool_call_id,
            event.provider_metadata,
            getattr(event, "logprobs", ()),
        )
        for event in events
    ]


@pytest.mark.parametrize(
    "events",
    [
        pytest.param(say(0, "Hi", "!"), id="answer"),
        pytest.param([*think(0, "h", "m"), *announce(1, "So", ":"), *call(2, "add", '{"a":1}')], id="call"),
        pytest.param(call(0, "add", '{ "a": 1 }'), id="arguments as they were written"),
        pytest.param(call(0, "add", " "), id="no arguments"),
        pytest.param([*announce(0, "a"), blank_line(1), *say(1, "b", "c")], id="two texts"),
        pytest.param(say(0, "🎉", "é"), id="unicode"),
        pytest.param(
            [*say(0, "Hm", logprobs=(HM,)), *say(0, "é", logprobs=(PIECE, PIECE)), *say(0, "?")],
            id="log probabilities",
        ),
        pytest.param([], id="nothing"),
    ],
)
def test_the_same_events(events: list[StreamEvent]) -> None:
    assert comparable(replay(events, done())) == comparable([*events, done()])


def test_each_part_has_its_own_index() -> None:
    events = [*think(0, "hm"), *announce(1, "a"), blank_line(2), *say(2, "b"), *call(3, "add")]
    assert [event.part_index for event in replay(events) if isinstance(event, StreamEvent)] == [
        0,
        1,
        2,
        3,
        4,
        4,
    ]


def test_a_turn_that_did_not_finish() -> None:
    assert comparable(replay(say(0, "Hi"))) == comparable(say(0, "Hi"))


def test_without_pieces_each_text_is_one_event() -> None:
    events = [*think(0, "h", "m"), *say(1, "Hm", "!", logprobs=(HM,))]
    expected = [*think(0, "hm"), *say(1, "Hm!", logprobs=(HM, HM))]
    assert comparable(replay(events, pieces=None)) == comparable(expected)


def test_a_turn_without_log_probabilities() -> None:
    events = say(0, "Hm", "!", logprobs=(HM,))
    assert comparable(replay(events, logprobs=None)) == comparable(say(0, "Hm", "!"))


@pytest.mark.parametrize(
    ("pieces", "texts"),
    [([[2]], ["He", "y"]), ([[2, 5]], ["He", "y"]), ([[9]], ["Hey"]), ([[0, 3]], ["Hey"]), ([], ["Hey"])],
)
def test_pieces_that_do_not_fit_the_text(pieces: list[list[int]], texts: list[str]) -> None:
    assert comparable(replay(say(0, "Hey"), pieces=pieces)) == comparable(say(0, *texts))


def test_unsupported_parts_are_left_out() -> None:
    parts = [
        ReasoningPart("", redacted=True),
        TextPart("", provider_metadata=PREAMBLE),
        ToolResultPart("search", "found", "call_1", server_executed=True),
        TextPart("Hi"),
    ]
    answer = [Message("assistant", parts)]
    assert comparable([*replay_events(answer, pieces=[[1, 1]], logprobs=None, finished=None)]) == comparable(
        say(0, "H", "i")
    )


def test_lengths() -> None:
    events = [*think(0, "hm", ""), *announce(1, ""), *say(2, "a", "bc"), blank_line(3), *say(3, "é")]
    assert lengths([*events, *call(4, "add")]) == [[2], [1, 2], [2], [1]]
    assert lengths([*think(0, "hm"), *say(1, "a", logprobs=(HM,)), *say(1, "b")]) == [[2], [1, 1], [1, 0]]
    assert lengths([]) == []


# The writers

ASK = GenerationRequest("/v1/chat/completions", "gpt-oss", (Message("user", []),), custom_tools=CUSTOM)
RESPONSE = whole.new_response({}, id=f"resp_{TURN}", created_at=0, model="gpt-oss")


def chat(events: Sequence[StreamEvent | Finished]) -> str:
    writer = ChatWriter({}, ASK.custom_tools, 0, reasoning_names=REASONING_NAMES)
    return json.dumps([*translate(events, writer)])


def responses(events: Sequence[StreamEvent | Finished]) -> str:
    writer = ResponsesWriter(RESPONSE, TURN, custom_tools=CUSTOM, reasoning="both", include_encrypted=True)
    return json.dumps([*writer.begin(), *translate(events, writer)])


@given(turns(), st.sampled_from(["stop", "length"]))
def test_writers_produce_the_same_from_any_replayed_turn(events: list[StreamEvent], reason: str) -> None:
    live, later = [*events, done(reason)], replay(events, done(reason))
    assert chat(later) == chat(live)
    assert responses(later) == responses(live)
