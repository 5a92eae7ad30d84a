"Tools through the real Ollama: loops of calls and results, and the choice of a tool."

from __future__ import annotations

import json
from typing import Any

import llm
import pytest
from support.turns import Turn, aturn, turn

from llm_gpt_oss.models import AsyncGptOss, GptOss

pytestmark = pytest.mark.vcr

OSLO = "What is the weather in Oslo?"
TICKET = "Create a ticket titled 'Broken door', then close the ticket using the id from the result"


def weather(city: str) -> str:
    "Weather in a city"
    return f"Sunny in {city}"


async def weather_from_afar(city: str) -> str:
    "Weather in a city"
    return f"Sunny in {city}"


def create_ticket(title: str) -> str:
    "Create a ticket"
    return json.dumps({"id": 4711})


def close_ticket(id: int) -> str:
    "Close a ticket"
    return "closed"


class Tickets(llm.Toolbox):
    def open_ones(self) -> int:
        "Count the open tickets"
        return 42


def gpt_oss() -> GptOss:
    return llm.get_model("gpt-oss")


def async_gpt_oss() -> AsyncGptOss:
    return llm.get_async_model("gpt-oss")


def turns(text: str, tools: list[Any], *, stream: bool = True, **options: Any) -> list[Turn]:
    chain = gpt_oss().chain(text, tools=tools, stream=stream, options={"temperature": 0, **options})
    return [turn(response) for response in chain.responses()]


async def aturns(text: str, tools: list[Any], **options: Any) -> list[Turn]:
    chain = async_gpt_oss().chain(text, tools=tools, options={"temperature": 0, **options})
    return [await aturn(response) async for response in chain.responses()]


# Loops


@pytest.mark.parametrize("stream", [True, False])
def test_call_result_and_answer(stream: bool) -> None:
    called, answered = turns(OSLO, [weather], stream=stream)
    assert called.calls == [("weather", {"city": "Oslo"})]
    assert (called.finish_reason, answered.finish_reason) == ("tool_calls", "stop")
    assert called.reasoning
    assert answered.reasoning
    assert "unny" in answer_of(answered)


def answer_of(answered: Turn) -> str:
    assert answered.calls == []
    return answered.text


def test_each_step_has_the_result_of_the_last_one() -> None:
    first, second, answered = turns(TICKET, [create_ticket, close_ticket])
    assert first.calls == [("create_ticket", {"title": "Broken door"})]
    assert second.calls == [("close_ticket", {"id": 4711})]
    assert "closed" in answer_of(answered)


def test_first_a_then_b() -> None:
    text = "First create a ticket titled 'Broken door', then tell me the weather in Oslo"
    first, second, answered = turns(text, [weather, create_ticket])
    assert first.calls == [("create_ticket", {"title": "Broken door"})]
    assert second.calls == [("weather", {"city": "Oslo"})]
    assert "unny" in answer_of(answered)


async def test_async_takes_the_same_steps() -> None:
    assert await aturns(TICKET, [create_ticket, close_ticket]) == turns(TICKET, [create_ticket, close_ticket])


async def test_an_async_tool() -> None:
    called, answered = await aturns(OSLO, [weather_from_afar])
    assert called.calls == [("weather_from_afar", {"city": "Oslo"})]
    assert "unny" in answer_of(answered)


def test_a_toolbox() -> None:
    called, answered = turns("Count the open tickets", [Tickets()])
    assert called.calls == [("Tickets_open_ones", {})]
    assert "42" in answer_of(answered)


def test_an_answer_after_a_tool_failed() -> None:
    def weather(city: str) -> str:
        "Weather in a city"
        raise ValueError("no weather today")

    _, answered = turns(OSLO, [weather])
    assert answer_of(answered)


def test_a_call_has_the_original_name_of_the_tool() -> None:
    tool = llm.Tool.function(weather, name="weather in the city")
    called, answered = turns(OSLO, [tool])
    assert called.calls == [("weather in the city", {"city": "Oslo"})]
    assert "unny" in answer_of(answered)


def test_arguments_of_a_streamed_call() -> None:
    response = gpt_oss().prompt(OSLO, tools=[weather])
    events = list(response.stream_events())
    names = [event.chunk for event in events if event.type == "tool_call_name"]
    written = "".join(event.chunk for event in events if event.type == "tool_call_args")
    (call,) = response.tool_calls()
    assert names == ["weather"]
    assert json.loads(written) == call.arguments
    assert {event.tool_call_id for event in events if event.type.startswith("tool")} == {call.tool_call_id}


@pytest.mark.tiny
def test_a_preamble_is_text_and_a_preamble_in_the_next_prompt() -> None:
    called, answered = turns(f"Say what you do before you call a tool. {OSLO}", [weather])
    assert (called.text, called.calls) == ("I will call weather.", [("weather", {"city": "Oslo"})])
    assert answered.text == "The weather in Oslo: Sunny in Oslo"


def test_the_prompt_with_a_result_has_the_reasoning_before_the_call() -> None:
    chain = gpt_oss().chain(OSLO, tools=[weather])
    called, answered = chain.responses()
    plan, _ = gpt_oss().start_turn(answered.prompt, stream=True)
    sent = plan.next_completion()
    assert sent is not None
    assert turn(called).reasoning in sent.prompt
    assert "<|start|>functions.weather to=assistant<|channel|>commentary<|message|>Sunny in Oslo<|end|>" in (
        sent.prompt
    )


def test_a_conversation_continues_after_a_tool_loop() -> None:
    conversation = gpt_oss().conversation(tools=[weather])
    conversation.chain("My name is Ada.").text()
    conversation.chain(OSLO).text()
    assert "Ada" in conversation.chain("What is my name?").text()


# Choice


@pytest.mark.parametrize("effort", ["none", "medium"])
@pytest.mark.parametrize("choice", ["weather", "required"])
def test_a_required_tool_is_called_once(choice: str, effort: str) -> None:
    tools = [weather, create_ticket]
    called, answered = turns("Say hello to Oslo", tools, tool_choice=choice, reasoning_effort=effort)
    (call,) = called.calls
    assert call[0] in (["weather"] if choice == "weather" else ["weather", "create_ticket"])
    assert [type(value) for value in call[1].values()] == [str]
    assert bool(called.reasoning) is (effort != "none")
    assert answer_of(answered)


def test_required_lets_the_model_choose() -> None:
    chosen = [
        turns(text, [weather, create_ticket, close_ticket], tool_choice="required")[0].calls
        for text in (OSLO, "Create a ticket titled 'Broken door'")
    ]
    assert chosen == [[("weather", {"city": "Oslo"})], [("create_ticket", {"title": "Broken door"})]]


async def test_a_required_tool_async() -> None:
    assert await aturns(OSLO, [weather, create_ticket], tool_choice="weather") == turns(
        OSLO, [weather, create_ticket], tool_choice="weather"
    )


def test_a_required_tool_and_a_reasoning_budget() -> None:
    called, answered = turns(OSLO, [weather], tool_choice="weather", reasoning_tokens=4)
    assert called.tokens[2] == 4
    assert called.calls[0][0] == "weather"
    assert answer_of(answered)


def test_tool_choice_none_calls_nothing() -> None:
    (answered,) = turns(OSLO, [weather], tool_choice="none")
    assert answer_of(answered)
    assert answered.finish_reason == "stop"


def test_effort_none_does_not_suppress_a_call() -> None:
    called, answered = rounds = turns(OSLO, [weather], reasoning_effort="none")
    assert called.calls == [("weather", {"city": "Oslo"})]
    assert answer_of(answered)
    # gpt-oss-tiny reasons a little all the same.
    assert all(each.tokens[2] < 10 for each in rounds)
