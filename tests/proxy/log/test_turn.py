from __future__ import annotations

import dataclasses
import json
from typing import Any

import llm
import pytest
from llm.parts import Message
from support.logged_turns import call, said, system, thought, turn, user

from proxy.generation import ThreadPosition
from proxy.log.stored_body import without_secrets
from proxy.log.turn_json import from_json, to_json


def test_a_turn_survives_as_json() -> None:
    before = turn(
        system("Be brief."),
        user("Hi"),
        answer=said(thought("Hm"), "Hello", call("1", x=[1])),
        actor="laptop",
        client="curl",
        stored=True,
        metadata={"a": "b"},
        queue_ms=3,
        first_token_ms=4,
        finish_reason="stop",
        continues=ThreadPosition("01", None, append=True),
        custom_calls=["call_1"],
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
def test_a_duration_survives(duration: int) -> None:
    before = turn(user("Hi"))
    before.response._start, before.response._end = 0.0, (duration + 0.5) / 1000
    assert from_json(to_json(before)).response.duration_ms() == duration


def test_the_model_of_a_past_turn_answers_no_more() -> None:
    past = from_json(to_json(turn(user("Hi")))).response
    with pytest.raises(NotImplementedError):
        past.model.execute(past.prompt, False, past, None)


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        pytest.param({"a": 1}, {"a": 1}, id="nothing secret"),
        pytest.param({"tools": [{"authorization": "x"}]}, {"tools": [{"authorization": "…"}]}, id="deep"),
        pytest.param({"headers": {"X-API-Key": "x"}}, {"headers": {"X-API-Key": "…"}}, id="any case"),
        pytest.param({"api_key": {"type": "string"}}, {"api_key": {"type": "string"}}, id="a schema"),
        pytest.param([], [], id="no object"),
    ],
)
def test_secrets_are_not_kept(sent: Any, kept: Any) -> None:
    assert without_secrets(json.dumps(sent)) == kept
    assert b'"x"' not in to_json(turn(user("Hi"), body=json.dumps(sent)))


def test_a_secret_is_found_however_its_name_is_spelled() -> None:
    body = r'{"\u0061pi_key": "x"}'
    assert without_secrets(body) == {"api_key": "…"}
    assert b'"x"' not in to_json(turn(user("Hi"), body=body))


def test_nothing_arrived() -> None:
    assert turn(user("Hi"), answer=Message("assistant", [])).answer == []
