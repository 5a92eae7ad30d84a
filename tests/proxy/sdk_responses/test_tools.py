"Tools, and the loops in which clients answer their calls."

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import openai
import pytest
from openai.lib import pydantic_function_tool
from openai.types.responses import Response
from pydantic import BaseModel
from support.sdk_responses import (
    ADD,
    BOTH,
    ECHO,
    ENCRYPTED_CONTENT,
    HISTORY_FORMS,
    OSLO,
    SPACE,
    VCR,
    WEATHER,
    ResponsesClient,
    call_of,
    result_of,
)


class GetWeather(BaseModel):
    "Weather in a city"

    city: str


@BOTH
@VCR
def test_parse_a_call(responses: ResponsesClient) -> None:
    response = responses.parse(OSLO, tools=[pydantic_function_tool(GetWeather)])
    assert call_of(response).parsed_arguments == GetWeather(city="Oslo")
    events, final = responses.stream(OSLO, tools=[WEATHER])
    (done,) = [event for event in events if event.type == "response.function_call_arguments.done"]
    (call,) = [item for item in final.output if item.type == "function_call"]
    assert (done.arguments, done.to_dict()["name"]) == (call.arguments, "get_weather")
    assert call.parsed_arguments == {"city": "Oslo"}


def history_items(response: Response, form: str) -> list[Any]:
    "An answer as a client puts it into the input of its next request."
    required = {"reasoning": ("id", "summary"), "function_call": ("call_id", "name", "arguments")}
    items = [item.to_dict() for item in response.output]
    match form:
        case "the response":
            return [*response.output]
        case "its items":
            return items
        case "encrypted":
            return [{**item, "content": []} if item["type"] == "reasoning" else item for item in items]
        case "by reference":
            return [{"type": "item_reference", "id": item["id"]} for item in items]
        case _:
            return [{"type": item["type"], **{k: item[k] for k in required[item["type"]]}} for item in items]


@pytest.mark.parametrize("form", HISTORY_FORMS)
@BOTH
@VCR
def test_tool_loop(responses: ResponsesClient, form: str) -> None:
    "In whichever form the client sends the call back, the engine gets the same prompt."
    fields: dict[str, Any] = {"tools": [WEATHER], "include": [ENCRYPTED_CONTENT]}
    history: list[Any] = [{"role": "user", "content": OSLO}]
    first = responses.create(history, **fields)
    history += [*history_items(first, form), result_of(call_of(first), "Sunny in Oslo")]
    second = responses.create(history, **fields)
    assert "Sunny in Oslo" in second.output_text
    items = responses.input_items(second.id, limit=1)
    assert [item.type for item in items] == [
        "message",
        "reasoning",
        "function_call",
        "function_call_output",
    ]
    assert items[2].call_id == call_of(first).call_id


@BOTH
@VCR
def test_tool_loop_with_stored_state(responses: ResponsesClient) -> None:
    first = responses.create(OSLO, tools=[WEATHER])
    result = result_of(call_of(first), "Sunny in Oslo")
    second = responses.create([result], tools=[WEATHER], previous_response_id=first.id)
    assert "Sunny in Oslo" in second.output_text
    conversation = responses.sdk.call(lambda client: client.conversations.create())
    third = responses.create(OSLO, tools=[WEATHER], conversation=conversation.id)
    assert third.conversation
    assert third.conversation.id == conversation.id
    result = result_of(call_of(third), "Sunny in Oslo")
    fourth = responses.create([result], tools=[WEATHER], conversation={"id": conversation.id})
    assert fourth.output_text == second.output_text


@BOTH
@VCR
def test_tool_loop_without_storage(responses: ResponsesClient) -> None:
    "As Codex and llm do it: the client keeps the reasoning, encrypted."
    fields: dict[str, Any] = {"tools": [WEATHER], "include": [ENCRYPTED_CONTENT], "store": False}
    history: list[Any] = [{"role": "user", "content": OSLO}]
    first = responses.create(history, **fields)
    call = call_of(first)
    history += [*history_items(first, "encrypted"), result_of(call, "Sunny in Oslo")]
    assert "Sunny in Oslo" in responses.create(history, **fields).output_text
    with pytest.raises(openai.NotFoundError):
        responses.retrieve(first.id)


@BOTH
@VCR
def test_custom_tool(responses: ResponsesClient) -> None:
    choice = {"type": "custom", "name": "echo"}
    events = responses.events("Echo: hello there", tools=[ECHO], tool_choice=choice)
    response = events[-1].response
    call = call_of(response)
    assert (call.type, call.name, call.input) == ("custom_tool_call", "echo", "hello there")
    (done,) = [event for event in events if event.type == "response.custom_tool_call_input.done"]
    assert done.input == "hello there"
    result = result_of(call, "hello there")
    second = responses.create([result], tools=[ECHO], previous_response_id=response.id)
    assert second.output_text
    items = responses.input_items(second.id)
    assert items[-1].type == "custom_tool_call_output"
    assert [item.id for item in items[1:-1]] == [item.id for item in response.output]


@BOTH
@VCR
def test_namespace(responses: ResponsesClient) -> None:
    response = responses.create(OSLO, tools=[SPACE])
    call = call_of(response)
    assert (call.namespace, call.name) == ("outside", "get_weather")
    history = [{"role": "user", "content": OSLO}, *response.output, result_of(call, "Sunny in Oslo")]
    assert "Sunny in Oslo" in responses.create(history, tools=[SPACE]).output_text


@pytest.mark.parametrize(
    ("choice", "names"),
    [
        pytest.param({"type": "function", "name": "add"}, {"add"}, id="named"),
        pytest.param("required", {"add", "get_weather"}, id="required"),
        pytest.param("none", set(), id="none"),
        pytest.param("auto", {"get_weather"}, id="auto"),
        pytest.param(
            {
                "type": "allowed_tools",
                "mode": "required",
                "tools": [{"type": "function", "name": "add"}],
            },
            {"add"},
            id="allowed",
        ),
    ],
)
@BOTH
@VCR
def test_tool_choice(responses: ResponsesClient, choice: Any, names: set[str]) -> None:
    response = responses.create(OSLO, tools=[WEATHER, ADD], tool_choice=choice)
    called = {item.name for item in response.output if item.type == "function_call"}
    assert called <= names
    assert bool(called) == bool(names) != bool(response.output_text)
    echoed = response.tool_choice
    assert (echoed if isinstance(echoed, str) else echoed.to_dict()) == choice


@BOTH
def test_parallel_tool_calls_off(scripted: Callable[..., Any]) -> None:
    call = '<|channel|>commentary to=functions.add <|constrain|>json<|message|>{"a":1,"b":2}'
    with scripted(*[f"{call}<|end|><|start|>assistant{call}"] * 2) as responses:
        both = responses.create("Add", tools=[ADD])
        one = responses.create("Add", tools=[ADD], parallel_tool_calls=False)
    assert [len(response.output) for response in (both, one)] == [2, 1]
