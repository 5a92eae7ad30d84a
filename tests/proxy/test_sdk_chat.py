"Chat completions through OpenAI's SDK, with the recorded answers of a real Ollama."

from __future__ import annotations

import enum
import json
from collections.abc import Callable, Iterator
from typing import Any

import openai
import pytest
from click.testing import CliRunner
from fastapi import FastAPI
from llm.cli import cli
from openai.lib import pydantic_function_tool
from pydantic import BaseModel
from support.scripted_engine import pieces
from support.sdk import SDK, aasking, asking, cassette_name

from llm_gpt_oss.errors import BadAnswer, EngineUnreachable, StreamCut

VCR = pytest.mark.vcr
BOTH = pytest.mark.parametrize("opened", [asking, aasking], ids=["sync", "async"])
HISTORY_FORMS = ["the message", "its dump", "what is needed"]
SAME_REQUEST = {"sync", "async", *HISTORY_FORMS}
OSLO = {"role": "user", "content": "What is the weather in Oslo?"}


def user(content: str) -> dict[str, Any]:
    return {"role": "user", "content": content}


def function(name: str, description: str, **properties: Any) -> dict[str, Any]:
    parameters = {"type": "object", "properties": properties, "required": [*properties]}
    return {
        "type": "function",
        "function": {"name": name, "description": description, "parameters": parameters},
    }


WEATHER = function("get_weather", "Weather in a city", city={"type": "string"})
ADD = function("add", "Add two numbers", a={"type": "integer"}, b={"type": "integer"})
ECHO = {"type": "custom", "custom": {"name": "echo", "description": "Echo a text"}}


@pytest.fixture
def default_cassette_name(request: pytest.FixtureRequest) -> str:
    return cassette_name(request.node.name, SAME_REQUEST)


@pytest.fixture
def sdk(opened: Callable[..., Any], app_with: Callable[..., FastAPI]) -> Iterator[SDK]:
    with opened(app_with()) as sdk:
        yield sdk


def logged() -> list[dict[str, Any]]:
    "What `llm logs` shows, oldest first."
    output = CliRunner().invoke(cli, ["logs", "list", "--json", "-n", "0"], catch_exceptions=False)
    turns: list[dict[str, Any]] = json.loads(output.output)
    return turns


# One answer


@BOTH
@VCR
def test_create(sdk: SDK) -> None:
    completion = sdk.create(messages=[user("What is the capital of France?")])
    (choice,) = completion.choices
    assert (choice.message.content, choice.finish_reason) == ("The capital of France is Paris.", "stop")
    message = choice.message.to_dict()
    assert "capital of France" in message["reasoning"]
    assert message["reasoning_content"] == message["reasoning"]
    assert completion.usage is not None
    assert completion.usage.completion_tokens_details is not None
    assert (
        0 < completion.usage.completion_tokens_details.reasoning_tokens < completion.usage.completion_tokens
    )
    assert completion._request_id.startswith("req_")
    (turn,) = logged()
    assert (turn["prompt"], turn["response"]) == ("What is the capital of France?", choice.message.content)


@BOTH
@VCR
def test_chunks(sdk: SDK) -> None:
    "Chunks come in the order that the SDK's accumulators need."
    chunks = sdk.chunks(messages=[user("Say hello")], stream_options={"include_usage": True})
    *answer_chunks, last = chunks
    assert {(chunk.id, chunk.created, chunk.model) for chunk in chunks} == {
        (last.id, last.created, "gpt-oss")
    }
    assert [chunk.to_dict()["usage"] for chunk in answer_chunks] == [None] * len(answer_chunks)
    assert (last.choices, last.usage is not None) == ([], True)
    deltas = [chunk.choices[0].delta.to_dict() for chunk in answer_chunks]
    assert deltas[0] == {"role": "assistant", "content": "", "refusal": None}
    assert {key for delta in deltas[1:] for key in delta} == {"reasoning", "reasoning_content", "content"}
    assert [chunk.choices[0].finish_reason for chunk in answer_chunks] == [None] * (
        len(answer_chunks) - 1
    ) + ["stop"]


@BOTH
@VCR
def test_stream(sdk: SDK) -> None:
    events, completion = sdk.stream(messages=[user("What is SQLite?")])
    text = "".join(event.delta for event in events if event.type == "content.delta")
    assert completion.choices[0].message.content == text == logged()[0]["response"]
    assert [event.type for event in events if event.type != "chunk"][-1] == "content.done"


@BOTH
@VCR
def test_several_choices(sdk: SDK) -> None:
    events, completion = sdk.stream(messages=[user("Tell me a joke")], n=2)
    assert [choice.index for choice in completion.choices] == [0, 1]
    assert all("pelican" in choice.message.content for choice in completion.choices)
    assert len([event for event in events if event.type == "content.done"]) == 2
    assert len(logged()) == 2


@BOTH
@VCR
def test_log_probabilities(sdk: SDK) -> None:
    request = {"messages": [user("What is 7 times 8?")], "logprobs": True, "top_logprobs": 2}
    (choice,) = sdk.create(**request).choices
    assert choice.logprobs is not None
    assert choice.logprobs.content is not None
    assert "".join(token.token for token in choice.logprobs.content) == choice.message.content
    assert {len(token.top_logprobs) for token in choice.logprobs.content} == {2}


@BOTH
@VCR
def test_stop_and_max_tokens(sdk: SDK) -> None:
    count = [user("Count to 120")]
    (stopped,) = sdk.create(messages=count, stop=["7"]).choices
    assert stopped.message.content is not None
    assert (stopped.message.content.rstrip(" ,")[-1], stopped.finish_reason) == ("6", "stop")
    (cut,) = sdk.create(messages=count, max_completion_tokens=10).choices
    assert (cut.message.content, cut.finish_reason) == ("", "length")


@BOTH
@VCR
def test_without_reasoning(sdk: SDK) -> None:
    capital = [user("What is the capital of Peru?")]
    none = sdk.create(messages=capital, reasoning_effort="none")
    hidden = sdk.create(messages=capital, extra_body={"reasoning": {"exclude": True}})
    for completion in (none, hidden):
        message = completion.choices[0].message
        assert message.content == "The capital of Peru is Lima."
        assert "reasoning" not in message.to_dict()
    assert none.usage is not None
    assert none.usage.completion_tokens_details is not None
    assert none.usage.completion_tokens_details.reasoning_tokens == 0


# Formats


class Size(enum.Enum):
    small = "small"
    large = "large"


class Person(BaseModel):
    name: str
    age: int


class Dog(BaseModel):
    # The SDK sends the docstring with the schema, so it is part of the recorded prompt.
    "What a model of many kinds of fields comes to."

    name: str
    size: Size
    owner: Person | None
    friends: list[Person]


ADA = [user("Extract the person: Ada is 7 years old.")]


@BOTH
@VCR
def test_parse(sdk: SDK) -> None:
    completion = sdk.parse(messages=ADA, response_format=Person)
    assert completion.choices[0].message.parsed == Person(name="Ada", age=7)


@BOTH
@VCR
def test_parse_many_fields(sdk: SDK) -> None:
    completion = sdk.parse(messages=[user("Invent a dog")], response_format=Dog)
    assert isinstance(completion.choices[0].message.parsed, Dog)


@BOTH
@VCR
def test_parse_a_stream(sdk: SDK) -> None:
    events, completion = sdk.stream(messages=ADA, response_format=Person)
    assert completion.choices[0].message.parsed == Person(name="Ada", age=7)
    assert [event.parsed for event in events if event.type == "content.done"] == [Person(name="Ada", age=7)]


@BOTH
@VCR
def test_parse_a_cut_answer(sdk: SDK) -> None:
    with pytest.raises(openai.LengthFinishReasonError):
        sdk.parse(messages=ADA, response_format=Person, max_completion_tokens=5)


@BOTH
@VCR
def test_json_object(sdk: SDK) -> None:
    messages = [user("Answer as JSON with keys name, age. Ada is 7 years old.")]
    completion = sdk.create(messages=messages, response_format={"type": "json_object"})
    assert isinstance(json.loads(completion.choices[0].message.content or ""), dict)


# Tools


class GetWeather(BaseModel):
    "Weather in a city"

    city: str


@BOTH
@VCR
def test_parse_a_call(sdk: SDK) -> None:
    completion = sdk.parse(messages=[OSLO], tools=[pydantic_function_tool(GetWeather)])
    (call,) = completion.choices[0].message.tool_calls
    assert call.function.parsed_arguments == GetWeather(city="Oslo")


@BOTH
@VCR
def test_stream_a_call(sdk: SDK) -> None:
    events, completion = sdk.stream(messages=[OSLO], tools=[WEATHER])
    (choice,) = completion.choices
    (call,) = choice.message.tool_calls
    assert (call.function.name, json.loads(call.function.arguments)) == ("get_weather", {"city": "Oslo"})
    assert call.id.startswith("call_")
    assert choice.finish_reason == "tool_calls"
    (done,) = [event for event in events if event.type == "tool_calls.function.arguments.done"]
    assert done.arguments == call.function.arguments


def result(call: Any) -> dict[str, Any]:
    return {
        "role": "tool",
        "tool_call_id": call.id,
        "content": f"Sunny in {json.loads(call.function.arguments)['city']}",
    }


@pytest.mark.parametrize("form", HISTORY_FORMS)
@BOTH
@VCR
def test_tool_loop(sdk: SDK, form: str) -> None:
    "In whichever form the client sends the call back, the engine gets the same prompt, with the reasoning."
    message = sdk.create(messages=[OSLO], tools=[WEATHER]).choices[0].message
    (call,) = message.tool_calls or ()
    forms: dict[str, Any] = {
        "the message": message,
        "its dump": message.model_dump(),
        "what is needed": {"role": "assistant", "tool_calls": [call.to_dict()]},
    }
    history = [OSLO, forms[form], result(call)]
    answer = sdk.create(messages=history, tools=[WEATHER]).choices[0].message
    assert "Sunny in Oslo" in (answer.content or "")
    follow_up = [*history, answer, user("What is the capital of Norway?")]
    assert (
        sdk.create(messages=follow_up, tools=[WEATHER]).choices[0].message.content
        == "The capital of Norway is Oslo."
    )

    called, answered, followed_up = logged()
    assert {turn["conversation_id"] for turn in (called, answered, followed_up)} == {
        called["conversation_id"]
    }
    assert called["conversation_name"] == OSLO["content"]
    assert [each["name"] for each in called["tool_calls"]] == ["get_weather"]
    assert [each["output"] for each in answered["tool_results"]] == ["Sunny in Oslo"]
    assert followed_up["prompt"] == "What is the capital of Norway?"


@pytest.mark.parametrize(
    ("choice", "names"),
    [
        pytest.param({"type": "function", "function": {"name": "add"}}, {"add"}, id="named"),
        pytest.param("required", {"add", "get_weather"}, id="required"),
        pytest.param("none", set(), id="none"),
        pytest.param(
            {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [ADD]}},
            {"add"},
            id="allowed",
        ),
    ],
)
@BOTH
@VCR
def test_tool_choice(sdk: SDK, choice: Any, names: set[str]) -> None:
    (answer,) = sdk.create(messages=[OSLO], tools=[WEATHER, ADD], tool_choice=choice).choices
    called = {call.function.name for call in answer.message.tool_calls or () if call.type == "function"}
    assert called <= names
    assert bool(called) == bool(names) == (answer.finish_reason == "tool_calls")
    assert bool(answer.message.content) != bool(called)


@BOTH
@VCR
def test_custom_tool(sdk: SDK) -> None:
    request: dict[str, Any] = {"messages": [user("Echo: hello there")], "tools": [ECHO]}
    forced = {**request, "tool_choice": {"type": "custom", "custom": {"name": "echo"}}}
    message = sdk.create(**forced).choices[0].message
    (call,) = message.tool_calls or ()
    assert call.type == "custom"
    assert (call.custom.name, call.custom.input) == ("echo", "hello there")
    deltas = [chunk.choices[0].delta.to_dict() for chunk in sdk.chunks(**forced)]
    streamed: list[Any] = [delta["tool_calls"][0] for delta in deltas if "tool_calls" in delta]
    assert [each.get("type") for each in streamed] == ["custom", None]
    assert "".join(each["custom"]["input"] for each in streamed) == "hello there"
    echoed = {"role": "tool", "tool_call_id": call.id, "content": "hello there"}
    assert (
        sdk.create(**{**request, "messages": [*request["messages"], message, echoed]})
        .choices[0]
        .message.content
    )


CALL = '<|channel|>commentary to=functions.add <|constrain|>json<|message|>{"a":1,"b":2}'
TWICE = f"{CALL}<|end|><|start|>assistant{CALL}"


@pytest.mark.parametrize(("parallel", "calls"), [(None, 2), (True, 2), (False, 1)])
@BOTH
def test_parallel_calls(
    opened: Callable[..., Any], app_with: Callable[..., FastAPI], parallel: bool | None, calls: int
) -> None:
    with opened(app_with(TWICE)) as sdk:
        options = {} if parallel is None else {"parallel_tool_calls": parallel}
        message = sdk.create(messages=[user("Add")], tools=[ADD], **options).choices[0].message
    assert len(message.tool_calls or ()) == calls
    (turn,) = logged()
    assert [each["tool_call_id"] for each in turn["tool_calls"]] == [
        each.id for each in message.tool_calls or ()
    ]


# Errors


@BOTH
def test_errors(opened: Callable[..., Any], app_with: Callable[..., FastAPI]) -> None:
    with opened(app_with("unused")) as sdk:
        with pytest.raises(openai.NotFoundError) as unknown:
            sdk.create(model="gpt-6", messages=[OSLO])
        with pytest.raises(openai.BadRequestError) as bad:
            sdk.create(messages=[OSLO], temperature=3)
        with pytest.raises(openai.BadRequestError) as empty:
            sdk.chunks(messages=[])
    assert (unknown.value.code, unknown.value.param) == ("model_not_found", "model")
    assert unknown.value.request_id
    assert (bad.value.param, empty.value.param) == ("temperature", "messages")
    assert logged() == []


DOWN = EngineUnreachable("Nobody answers.")
HELLO = "<|channel|>final<|message|>Hello!"


@BOTH
def test_retries(
    opened: Callable[..., Any], app_with: Callable[..., FastAPI], sdk_waits: list[float]
) -> None:
    "The SDK waits as long as `Retry-After` says."
    with opened(app_with(DOWN, HELLO), max_retries=1) as sdk:
        assert sdk.create(messages=[user("Say hello")]).choices[0].message.content == "Hello!"
    assert sdk_waits == [5]


@BOTH
def test_retries_of_a_stream(
    opened: Callable[..., Any], app_with: Callable[..., FastAPI], sdk_waits: list[float]
) -> None:
    with (
        opened(app_with(DOWN, DOWN), max_retries=1) as sdk,
        pytest.raises(openai.InternalServerError) as caught,
    ):
        sdk.chunks(messages=[user("Say hello")])
    assert (caught.value.status_code, sdk_waits) == (503, [5])


@BOTH
def test_no_retry_of_permanent_errors(
    opened: Callable[..., Any], app_with: Callable[..., FastAPI], sdk_waits: list[float]
) -> None:
    with (
        opened(app_with(StreamCut("The stream was cut.")), max_retries=1) as sdk,
        pytest.raises(openai.InternalServerError) as caught,
    ):
        sdk.create(messages=[user("Say hello")])
    assert (caught.value.status_code, sdk_waits) == (502, [])


@BOTH
def test_error_in_stream(opened: Callable[..., Any], app_with: Callable[..., FastAPI]) -> None:
    broken = [*pieces("<|channel|>final<|message|>Hello"), BadAnswer("Nothing more came.", raw="")]
    with opened(app_with(broken)) as sdk, pytest.raises(openai.APIError, match="Nothing more came") as caught:
        sdk.chunks(messages=[user("Say hello")])
    assert caught.value.code == "bad_answer"
    assert [turn["response"] for turn in logged()] == ["Hello"]
