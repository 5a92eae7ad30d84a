from __future__ import annotations

import dataclasses
import json

import llm
import pytest
from support.logged_turns import assistant, call, reasoning, system, turn, user

from proxy.generation import CustomCall, ThreadPosition
from proxy.log.turn_json import from_json, to_json


def test_a_turn_survives_as_json() -> None:
    before = turn(
        system("Be brief."),
        user("Hi"),
        answer=assistant(reasoning("Hm"), "Hello", call("1", x=[1])),
        actor="laptop",
        client="curl",
        stored=True,
        metadata={"a": "b"},
        queue_ms=3,
        first_token_ms=4,
        finish_reason="stop",
        continues=ThreadPosition("01", None, append=True),
        custom_calls=[CustomCall("call_1", "look")],
        ignored=["colour"],
        pieces=[[1, 1], [5]],
    )
    response = before.response
    response.prompt.options = response.model.Options(temperature=0.5)  # type: ignore[attr-defined]
    response.prompt.schema = {"type": "object"}
    response.prompt.tools = [llm.Tool("look", "Look up", {"type": "object"}), llm.ServerSideTool({})]
    response.stream, response.resolved_model, response.response_json = True, "gpt-oss:20b", {"a": 1}
    response.set_usage(input=1, output=2, details={"reasoning_tokens": 1})
    after = from_json(to_json(before))
    assert dataclasses.replace(after.request, body="") == dataclasses.replace(before.request, body="")
    assert json.loads(after.request.body) == json.loads(before.request.body)
    for what in (
        lambda t: (t.id, t.prompt, t.answer, t.response.stream, t.response.resolved_model),
        lambda t: (t.response.model.model_id, t.response.response_json, t.response.prompt.schema),
        lambda t: (t.response.input_tokens, t.response.output_tokens, t.response.token_details),
        lambda t: (t.response.duration_ms(), t.response.datetime_utc()),
        lambda t: [tool for tool in t.response.prompt.tools if isinstance(tool, llm.Tool)],
        lambda t: {k: v for k, v in dict(t.response.prompt.options).items() if v is not None},
        lambda t: t.response.tool_calls(),
    ):
        assert what(after) == what(before)


@pytest.mark.parametrize("duration", [0, 29, 57, 1009])
def test_a_duration_survives_as_json(duration: int) -> None:
    before = turn(user("Hi"))
    before.response._start, before.response._end = 0.0, (duration + 0.5) / 1000
    assert from_json(to_json(before)).response.duration_ms() == duration


def test_the_model_of_a_past_turn_cannot_be_run() -> None:
    past = from_json(to_json(turn(user("Hi")))).response
    with pytest.raises(NotImplementedError):
        past.model.execute(past.prompt, False, past, None)


def test_what_was_parsed_is_not_written() -> None:
    before = turn(user("Hi"), body='{"a": 1.0}', parsed={"a": 1.0})
    assert b"parsed" not in to_json(before)
    after = from_json(to_json(before)).request
    assert (after.body, after.parsed, after.content) == ('{"a": 1.0}', None, {"a": 1.0})


def test_a_turn_without_the_entries_of_earlier_turns() -> None:
    body = {"messages": [1, 2, 3], "api_key": "x"}
    before = turn(user("a"), assistant("b"), user("c"), body=json.dumps(body))
    short = dataclasses.replace(before, request=before.request.shorten(1))
    after = from_json(to_json(short)).request
    assert (after.content, after.sent, after.left_out) == ({"messages": [3], "api_key": "…"}, [1], 2)


def test_half_of_a_surrogate_pair() -> None:
    before = turn(user("Hi"), answer=assistant("\ud83d"))
    assert from_json(to_json(before)).answer == before.answer


def test_a_turn_of_an_earlier_version() -> None:
    data = json.loads(
        to_json(turn(user("Hi"), answer=assistant("Hello"), continues=ThreadPosition("01", "b2:1")))
    )
    del data["request"]["left_out"]
    after = from_json(json.dumps(data))
    assert (after.prompt, after.answer) == ([user("Hi")], [assistant("Hello")])
    assert (after.request.left_out, after.request.continues) == (0, ThreadPosition("01", "b2:1"))


@pytest.mark.parametrize(
    ("fields", "calls", "continues"),
    [
        pytest.param({"custom_calls": [["1", "look", "new"]]}, [("1", "look")], None, id="more of a call"),
        pytest.param({"custom_calls": [["1"], ["2", "look"]]}, [("2", "look")], None, id="less of a call"),
        pytest.param({"custom_calls": ["call_1"]}, [], None, id="a call as text"),
        pytest.param({"custom_calls": None}, [], None, id="no calls"),
        pytest.param({"continues": ["01", None]}, [], ("01", None, False), id="less of a position"),
        pytest.param({"continues": ["01", None, True, 1]}, [], ("01", None, True), id="more of a position"),
        pytest.param({"continues": ["01"]}, [], None, id="too little of a position"),
        pytest.param({"custom_call_ids": ["call_1"], "colour": "blue"}, [], None, id="unknown fields"),
    ],
)
def test_a_turn_of_another_version(fields: dict[str, object], calls: list[object], continues: object) -> None:
    data = json.loads(to_json(turn(user("Hi"))))
    data["request"] |= fields
    after = from_json(json.dumps(data)).request
    assert (after.custom_calls, after.continues) == (calls, continues)


def test_a_turn_of_a_version_without_custom_calls() -> None:
    data = json.loads(to_json(turn(user("Hi"))))
    for name in ("custom_calls", "continues"):
        del data["request"][name]
    after = from_json(json.dumps(data)).request
    assert (after.custom_calls, after.continues) == ([], None)
