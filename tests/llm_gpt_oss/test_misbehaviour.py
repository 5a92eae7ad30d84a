"""What becomes of the slips that gpt-oss-tiny makes on command: rows of the fault matrix, from a real Ollama.

Each turn either has the intended result and a note about its repair, or is an error that keeps the output.
"""

from __future__ import annotations

import json
from typing import Any

import llm
import pytest
from support.turns import Turn, aturn, turn

from llm_gpt_oss.errors import BadAnswer, StreamCut

pytestmark = [pytest.mark.vcr, pytest.mark.tiny]

OSLO = "What is the weather in Oslo?"
PERU = "What is the capital of Peru?"
ADA = "Extract the person: Ada is 7 years old."
PERSON = llm.schema_dsl("name, age int")


def weather(city: str) -> str:
    "Weather in a city"
    return f"Sunny in {city}"


def ask(text: str, **options: Any) -> Turn:
    return turn(llm.get_model("gpt-oss").prompt(text, **options))


async def aask(text: str, **options: Any) -> Turn:
    return await aturn(llm.get_async_model("gpt-oss").prompt(text, **options))


CALLS = [
    pytest.param(
        "bad-json",
        "repaired",
        "The arguments of weather were repaired: text around the object",
        '{"city":"Oslo"}]',
        id="F1 a stray bracket",
    ),
    pytest.param(
        "plain-args",
        "repaired",
        "The arguments of weather were repaired: the whole text was used as city",
        "Oslo",
        id="F2 a bare word",
    ),
    pytest.param(
        "extra-args",
        "repaired",
        "The arguments of weather were repaired: dropped unexpected_argument",
        '{"city":"Oslo","unexpected_argument":"surprise"}',
        id="an invented argument",
    ),
    pytest.param("bare-recipient", "renamed", None, "weather", id="F14 no functions. before the name"),
    pytest.param("marker-name", "mended", None, None, id="F14 a marker in the name"),
]


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(("slip", "kind", "text", "raw"), CALLS)
def test_malformed_calls_are_repaired(
    slip: str, kind: str, text: str | None, raw: str | None, stream: bool
) -> None:
    called = ask(f"misbehave: {slip} {OSLO}", tools=[weather], stream=stream)
    assert called.calls == [("weather", {"city": "Oslo"})]
    assert (called.finish_reason, called.completions) == ("tool_calls", 1)
    (note,) = called.notes
    assert note["kind"] == kind
    assert text is None or note["text"] == text
    assert note.get("raw") == raw


async def test_malformed_calls_are_repaired_async() -> None:
    text = f"misbehave: bad-json {OSLO}"
    assert await aask(text, tools=[weather]) == ask(text, tools=[weather])


def test_cut_arguments_are_requested_again_with_their_schema() -> None:
    called = ask(f"misbehave: cut-json {OSLO}", tools=[weather])
    ((name, arguments),) = called.calls
    assert (name, arguments.keys(), type(arguments["city"])) == ("weather", {"city"}, str)
    assert called.completions == 2
    assert called.notes == [
        {
            "kind": "asked_again",
            "text": "The arguments of weather were requested again: no JSON object: '{\"city\":'",
            "raw": '{"city":',
        }
    ]


def test_the_model_reads_that_a_tool_does_not_exist() -> None:
    answered = ask(f"misbehave: wrong-tool {OSLO}", tools=[weather])
    assert answered.calls == []
    assert answered.kinds[0] == "call_dropped"


def test_the_next_prompt_has_the_repaired_call() -> None:
    chain = llm.get_model("gpt-oss").chain(f"misbehave: bad-json {OSLO}", tools=[weather])
    *_, answered = chain.responses()
    plan, _ = llm.get_model("gpt-oss").start_turn(answered.prompt, stream=True)
    sent = plan.next_completion()
    assert sent is not None
    assert '<|constrain|>json<|message|>{"city":"Oslo"}<|call|>' in sent.prompt
    assert "Oslo" in answered.text()


def test_a_call_written_into_the_answer_is_an_answer() -> None:
    answered = ask(f"misbehave: call-in-final {OSLO}", tools=[weather])
    assert answered.calls == []
    assert json.loads(answered.text) == {"name": "weather", "arguments": {"city": "Oslo"}}


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    "slip", ["fenced-json", "not-schema", "no-thinking", "two-finals", "empty", "only-thinking"]
)
def test_an_answer_with_a_schema_always_fits(slip: str, stream: bool) -> None:
    answered = ask(f"misbehave: {slip} {ADA}", schema=PERSON, stream=stream)
    answer = json.loads(answered.text)
    assert {key: type(value) for key, value in answer.items()} == {"name": str, "age": int}
    assert answered.finish_reason == "stop"


@pytest.mark.parametrize("stream", [True, False])
def test_an_empty_answer_is_started_once_and_then_an_error(stream: bool) -> None:
    response = llm.get_model("gpt-oss").prompt("misbehave: empty", stream=stream)
    with pytest.raises(BadAnswer, match="ended its answer without writing anything"):
        response.text()
    outcome = response.response_json["outcome"]
    assert outcome["finish_reason"] is None
    assert [note["kind"] for note in outcome["notes"]] == ["answer_opened"]
    assert response.response_json["completions"] == 2
    assert {event.type for event in response._stream_events} == {"reasoning"}


def test_the_answer_is_started_after_reasoning_alone() -> None:
    answered = ask(f"misbehave: only-thinking {PERU}")
    assert answered.text
    assert answered.reasoning
    assert answered.kinds == ["answer_opened"]
    assert (answered.finish_reason, answered.completions) == ("stop", 2)


def test_an_answer_without_reasoning() -> None:
    answered = ask("misbehave: no-thinking")
    assert (answered.text, answered.reasoning, answered.notes) == ("I did not think.", "", [])


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("slip", ["loop", "think-loop"])
def test_an_answer_that_ollama_stops_is_an_error_and_keeps_its_output(slip: str, stream: bool) -> None:
    response = llm.get_model("gpt-oss").prompt(f"misbehave: {slip}", stream=stream)
    with pytest.raises(StreamCut, match=r"ended in the middle\. The model may have repeated itself"):
        response.text()
    assert response.response_json["outcome"]["finish_reason"] is None
    assert response.output_tokens > 25
    assert "again again" in "".join(event.chunk for event in response._stream_events)


async def test_an_answer_that_ollama_stops_async() -> None:
    response = llm.get_async_model("gpt-oss").prompt("misbehave: loop")
    with pytest.raises(StreamCut):
        await response.text()
    assert "again again" in "".join(event.chunk for event in response._stream_events)


def test_spelled_out_markers_are_text() -> None:
    answered = ask("misbehave: marker-text")
    assert "The tag <|im_end|> ends a message" in answered.text
    assert "</think> ends a thought" in answered.text
    assert answered.finish_reason == "stop"


@pytest.mark.parametrize(
    ("slip", "text"),
    [
        ("unfinished", "This sentence stops in the\n\nmiddle, and here is the rest."),
        ("two-finals", "First answer.\n\nSecond answer."),
    ],
)
def test_several_answers_are_separate_parts(slip: str, text: str) -> None:
    assert ask(f"misbehave: {slip}").text == text
