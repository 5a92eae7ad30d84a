"What the machine makes of misbehaviour of the model, as a real engine recorded it."

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support.scripted_engine import Part
from support.turn_requests import (
    CITY,
    OSLO,
    PERSON,
    THINKS,
    build_request,
    play_turn,
)

from llm_gpt_oss.completion import Done, Piece
from llm_gpt_oss.errors import StreamCut

MISBEHAVIOUR_PIECES = json.loads(Path(__file__).with_name("misbehaviour.json").read_text(encoding="utf-8"))


def recorded_items(name: str) -> list[Any]:
    "What a real engine sent. It stopped two of them in the middle."
    items = [Piece(text) for text in MISBEHAVIOUR_PIECES[name]["pieces"]]
    eval_count = MISBEHAVIOUR_PIECES[name]["eval_count"]
    return [*items, Done("stop", 80, eval_count) if eval_count else StreamCut("in the middle")]


def recorded_reasoning(name: str) -> tuple[str, str]:
    return ("analysis", f"User asks; misbehaving: {name}.")


MISBEHAVIOUR = [
    pytest.param("bad-json", CITY, [], [("get_weather", OSLO)], [("repaired", '{"city":"Oslo"}]')]),
    pytest.param("plain-args", CITY, [], [("get_weather", OSLO)], [("repaired", "Oslo")]),
    pytest.param(
        "cut-json", CITY, ['{"city":"Oslo"}'], [("get_weather", OSLO)], [("asked_again", '{"city":')]
    ),
    pytest.param(
        "extra-args",
        CITY,
        [],
        [("get_weather", OSLO)],
        [("repaired", '{"city":"Oslo","unexpected_argument":"surprise"}')],
    ),
    pytest.param(
        "wrong-tool",
        CITY,
        ["<|channel|>final<|message|>Yes."],
        [("final", "Yes.")],
        [("call_dropped", '{"city":"Oslo"}')],
    ),
    pytest.param("bare-recipient", CITY, [], [("get_weather", OSLO)], [("renamed", "get_weather")]),
    pytest.param("marker-name", CITY, [], [("get_weather", OSLO)], [("mended", None)]),
    pytest.param(
        "call-in-final",
        CITY,
        [],
        [("final", '{"name": "get_weather", "arguments": {"city": "Oslo"}}')],
        [],
    ),
    pytest.param("fenced-json", {}, [], [("final", '```json\n{"name": "unknown", "age": 0}\n```')], []),
    pytest.param("not-schema", {}, [], [("final", '{"wrong": true, "note": "not the schema"}')], []),
    pytest.param("empty", {}, ["Yes."], [("final", "Yes.")], [("answer_opened", None)]),
    pytest.param("only-thinking", {}, ["Yes."], [("final", "Yes.")], [("answer_opened", None)]),
    pytest.param(
        "unfinished",
        {},
        [],
        [("final", "This sentence stops in the"), ("final", "middle, and here is the rest.")],
        [],
    ),
    pytest.param("two-finals", {}, [], [("final", "First answer."), ("final", "Second answer.")], []),
]


@pytest.mark.parametrize(("name", "tools", "more", "parts", "notes"), MISBEHAVIOUR)
def test_misbehaviour(name: str, tools: Any, more: list[Part], parts: list[Any], notes: object) -> None:
    turn = play_turn(build_request(tools=tools), recorded_items(name), *more)
    assert turn.parts == [recorded_reasoning(name), *parts]
    assert [(note.kind, note.raw) for note in turn.machine.notes] == notes
    assert (len(turn.completions), turn.error) == (1 + len(more), None)
    assert turn.machine.finish_reason == ("stop" if parts[-1][0] == "final" else "tool_calls")


def test_an_answer_without_reasoning() -> None:
    turn = play_turn(build_request(), recorded_items("no-thinking"))
    assert (turn.parts, turn.notes) == ([("final", "I did not think.")], [])


def test_marker_text_is_text() -> None:
    turn = play_turn(build_request(), recorded_items("marker-text"))
    text = "".join(MISBEHAVIOUR_PIECES["marker-text"]["pieces"]).rpartition("<|message|>")[2]
    assert (turn.parts[1:], turn.notes) == ([("final", text)], [])
    assert text.startswith("The tag <|im_end|> ends a message in some models, and </think> ends")


def test_tokens_of_non_ascii_text() -> None:
    turn = play_turn(build_request(), recorded_items("unicode"))
    text = "".join(MISBEHAVIOUR_PIECES["unicode"]["pieces"]).rpartition("<|message|>")[2]
    assert turn.parts[1:] == [("final", text)]
    usage = turn.machine.usage
    assert (usage.reasoning_tokens, usage.completion_tokens) == (9, 111)


@pytest.mark.parametrize("name", ["loop", "think-loop"])
def test_a_repetition_that_the_engine_stopped(name: str) -> None:
    turn = play_turn(build_request(), recorded_items(name))
    assert isinstance(turn.error, StreamCut)
    assert turn.parts[-1][1].endswith(" again again")
    assert (turn.machine.finish_reason, turn.machine.usage.completion_tokens) == (
        None,
        len(MISBEHAVIOUR_PIECES[name]["pieces"]),
    )


@pytest.mark.parametrize("buffer_answer", [True, False])
def test_a_code_fence_is_taken_off_an_answer_with_a_schema(buffer_answer: bool) -> None:
    text = "".join(MISBEHAVIOUR_PIECES["fenced-json"]["pieces"]).rpartition("<|message|>")[2]
    schema = {"type": "object", "required": ["name", "age"]}
    turn = play_turn(build_request(format=schema, buffer_answer=buffer_answer), THINKS, text)
    assert turn.parts == [("analysis", "Hm."), ("final", '{"name": "unknown", "age": 0}')]
    assert [note.text for note in turn.machine.notes] == ["A code fence around the answer was left out."]
    assert turn.machine.finish_reason == "stop"


@pytest.mark.parametrize("name", ["not-schema"])
@pytest.mark.parametrize(("buffer_answer", "completions"), [(True, 3), (False, 2)])
def test_an_engine_that_ignores_the_schema(name: str, buffer_answer: bool, completions: int) -> None:
    text = "".join(MISBEHAVIOUR_PIECES[name]["pieces"]).rpartition("<|message|>")[2]
    turn = play_turn(
        build_request(format=PERSON, buffer_answer=buffer_answer),
        THINKS,
        text,
        *([text] if buffer_answer else []),
    )
    assert len(turn.completions) == completions
    assert (turn.parts, turn.notes) == (
        [("analysis", "Hm."), ("final", text)],
        ["retried", "misfit"] if buffer_answer else ["misfit"],
    )
    assert turn.machine.finish_reason == "stop"
