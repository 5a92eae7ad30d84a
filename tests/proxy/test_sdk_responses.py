"""Responses as OpenAI's own SDK has them, over answers of a real Ollama.

Every event is checked with the SDK's class for its type, and all of a response's with what makes its
`stream()`.
"""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import openai
import pytest
import uvicorn
from fastapi import FastAPI
from openai.lib import pydantic_function_tool
from openai.types.responses import Response
from pydantic import BaseModel
from support.openai_types import MORE, accumulated, strange
from support.scripted_engine import HeldEngine, Part, pieces
from support.sdk import MODEL, SDK, aasking, asking, cassette_name

from llm_gpt_oss.errors import BadAnswer, EngineUnreachable, StreamCut
from proxy.http.api_keys import hash_key

VCR = pytest.mark.vcr
BOTH = pytest.mark.parametrize("opened", [asking, aasking], ids=["sync", "async"])
SENT_BACK = ["the response", "its items", "what is needed", "sealed", "named"]
CLIENTS = {"sync", "async", *SENT_BACK}

OSLO = "What is the weather in Oslo?"
CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
NUMBERS = {
    "type": "object",
    "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
    "required": ["a", "b"],
}
WEATHER = {
    "type": "function",
    "name": "get_weather",
    "description": "Weather in a city",
    "parameters": CITY,
    "strict": True,
}
ADD = {
    "type": "function",
    "name": "add",
    "description": "Add two numbers",
    "parameters": NUMBERS,
    "strict": False,
}
ECHO = {"type": "custom", "name": "echo", "description": "Echo a text"}
SPACE = {"type": "namespace", "name": "outside", "description": "What is outside", "tools": [WEATHER]}
SEALED = "reasoning.encrypted_content"


class Person(BaseModel):
    name: str
    age: int


class GetWeather(BaseModel):
    "Weather in a city"

    city: str


class Asked:
    "One SDK's `responses`, each answer checked."

    def __init__(self, sdk: SDK) -> None:
        self.sdk = sdk

    def create(self, input: Any, **fields: Any) -> Response:
        asked = {"model": MODEL, "input": input, **fields}
        return checked(self.sdk.call(lambda client: client.responses.create(**asked)))

    def events(self, input: Any, **fields: Any) -> list[Any]:
        asked = {"model": MODEL, "input": input, "stream": True, **fields}
        events = self.sdk.listed(lambda client: client.responses.create(**asked))
        accumulated([event.to_dict() for event in events])
        assert [event.sequence_number for event in events] == [*range(len(events))]
        return events

    def stream(self, input: Any, **fields: Any) -> tuple[list[Any], Any]:
        asked = {"model": MODEL, "input": input, **fields}
        return self.sdk.entered(lambda client: client.responses.stream(**asked))

    def parse(self, input: Any, **fields: Any) -> Any:
        asked = {"model": MODEL, "input": input, **fields}
        return self.sdk.call(lambda client: client.responses.parse(**asked))

    def retrieve(self, id: str, **given: Any) -> Response:
        return checked(self.sdk.call(lambda client: client.responses.retrieve(id, **given)))

    def streamed_again(self, id: str, **given: Any) -> list[Any]:
        return self.sdk.listed(lambda client: client.responses.retrieve(id, stream=True, **given))

    def brought(self, id: str, **given: Any) -> list[Any]:
        return self.sdk.listed(lambda client: client.responses.input_items.list(id, order="asc", **given))


def checked(response: Response) -> Response:
    Response.model_validate(response.to_dict(), strict=True)
    assert set(strange(response)) <= MORE
    return response


@pytest.fixture
def default_cassette_name(request: pytest.FixtureRequest) -> str:
    return cassette_name(request.node.name, CLIENTS)


@pytest.fixture
def asked(opened: Callable[..., Any], app_with: Callable[..., FastAPI]) -> Iterator[Asked]:
    with opened(app_with(), max_retries=0) as sdk:
        yield Asked(sdk)


@pytest.fixture
def scripted(opened: Callable[..., Any], app_with: Callable[..., FastAPI]) -> Callable[..., Any]:
    "Asked of an engine that plays a script."

    @contextmanager
    def started(*script: Part, max_retries: int = 0, **settings: Any) -> Iterator[Asked]:
        with opened(app_with(*script, **settings), max_retries=max_retries) as sdk:
            yield Asked(sdk)

    return started


def text_of(response: Any) -> str:
    texts = [part.text for item in response.output if item.type == "message" for part in item.content]
    return "".join(texts)


def call_of(response: Any) -> Any:
    (call,) = [item for item in response.output if item.type.endswith("_call")]
    return call


def result_of(call: Any, output: str) -> dict[str, Any]:
    return {"type": f"{call.type}_output", "call_id": call.call_id, "output": output}


# One response


@BOTH
@VCR
def test_create(asked: Asked) -> None:
    response = asked.create("What is the capital of France?", metadata={"a": "b"}, user="me")
    reasoning, message = response.output
    assert (reasoning.type, message.type) == ("reasoning", "message")
    assert reasoning.content
    assert "capital of France" in reasoning.content[0].text
    assert response.output_text == "The capital of France is Paris."
    assert (response.status, response.metadata, response.user) == ("completed", {"a": "b"}, "me")
    assert response.completed_at
    assert response.completed_at >= response.created_at
    assert response.usage
    assert 0 < response.usage.output_tokens_details.reasoning_tokens < response.usage.output_tokens
    assert response.usage.total_tokens == response.usage.input_tokens + response.usage.output_tokens
    assert response._request_id
    assert response._request_id.startswith("req_")
    again = asked.retrieve(response.id)
    assert again == response
    assert asked.retrieve(response.id, include=[SEALED]).output[0].to_dict()["encrypted_content"]


@BOTH
@VCR
def test_events(asked: Asked) -> None:
    events = asked.events("Say hello")
    kinds = [event.type for event in events if not event.type.endswith(".delta")]
    assert kinds == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        "response.reasoning_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]
    id = events[-1].response.id
    assert asked.streamed_again(id) == events
    assert asked.streamed_again(id, starting_after=6) == events[7:]
    assert asked.streamed_again(id, starting_after=events[-1].sequence_number) == []
    assert asked.retrieve(id) == events[-1].response


@BOTH
@VCR
def test_stream(asked: Asked) -> None:
    events, final = asked.stream("What is SQLite?")
    texts = [event for event in events if event.type == "response.output_text.delta"]
    assert "".join(event.delta for event in texts) == texts[-1].snapshot == final.output_text
    assert text_of(asked.retrieve(final.id)) == final.output_text
    again, same = asked.sdk.entered(lambda client: client.responses.stream(response_id=final.id))
    assert (again, same) == (events, final)
    later, _ = asked.sdk.entered(
        lambda client: client.responses.stream(response_id=final.id, starting_after=7)
    )
    assert [event.sequence_number for event in later] == [event.sequence_number for event in events[8:]]


@BOTH
@VCR
def test_log_probabilities(asked: Asked) -> None:
    fields = {"include": ["message.output_text.logprobs"], "top_logprobs": 2}
    events = asked.events("What is 7 times 8?", **fields)
    (message,) = [item for item in events[-1].response.output if item.type == "message"]
    (part,) = message.content
    assert "".join(token.token for token in part.logprobs) == part.text
    assert {len(token.top_logprobs) for token in part.logprobs} == {2}
    told = [event.logprobs for event in events if event.type == "response.output_text.delta"]
    assert [token for tokens in told for token in tokens] != []
    assert asked.streamed_again(events[-1].response.id) == events


@BOTH
@VCR
def test_what_is_cut_is_incomplete(asked: Asked) -> None:
    response = asked.create("Count to 120", max_output_tokens=10)
    assert response.incomplete_details
    assert (response.status, response.incomplete_details.reason) == ("incomplete", "max_output_tokens")
    assert response.max_output_tokens == 10
    events, final = asked.stream("Count to 120", max_output_tokens=10)
    assert (events[-1].type, final) == ("response.incomplete", None)
    assert asked.retrieve(response.id) == response


@BOTH
@VCR
def test_instructions_are_for_one_response(asked: Asked) -> None:
    how = "Begin every answer with 'Ahoy'"
    first = asked.create("My name is Ada.", instructions=how)
    assert (first.instructions, first.output_text[:4]) == (how, "Ahoy")
    second = asked.create("What is my name?", previous_response_id=first.id)
    assert "Ahoy" not in second.output_text
    assert "Ada" in second.output_text
    assert (second.instructions, second.previous_response_id) == (None, first.id)
    assert [item.content[0].text for item in asked.brought(second.id)] == ["What is my name?"]


@BOTH
@VCR
def test_effort(asked: Asked) -> None:
    reasoning, text = {"effort": "none", "summary": "auto"}, {"verbosity": "low"}
    response = asked.create("What is the capital of Peru?", reasoning=reasoning, text=text)
    assert response.output_text == "The capital of Peru is Lima."
    assert [item.type for item in response.output] == ["message"]
    assert response.reasoning
    assert (response.reasoning.effort, response.reasoning.summary) == ("none", "auto")
    assert response.text
    assert response.text.verbosity == "low"


LONG = "word " * 5000


@BOTH
@VCR
def test_truncation(asked: Asked) -> None:
    told = [{"role": "user", "content": LONG}, {"role": "assistant", "content": "Yes."}]
    input = [*told, {"role": "user", "content": "Say hello"}]
    with pytest.raises(openai.BadRequestError) as caught:
        asked.create(input)
    assert (caught.value.code, caught.value.param) == ("context_length_exceeded", "input")
    with pytest.raises(openai.BadRequestError):
        asked.events(input, truncation="disabled")
    response = asked.create(input, truncation="auto")
    assert (response.status, response.truncation) == ("completed", "auto")
    assert "ello" in response.output_text


# The form of an answer


ADA = "Extract the person: Ada is 7 years old."


@BOTH
@VCR
def test_parse(asked: Asked) -> None:
    response = asked.parse(ADA, text_format=Person)
    assert response.output_parsed == Person(name="Ada", age=7)
    events, final = asked.stream(ADA, text_format=Person)
    assert final.output_parsed == Person(name="Ada", age=7)
    (done,) = [event for event in events if event.type == "response.output_text.done"]
    assert done.parsed == final.output_parsed
    told = asked.retrieve(final.id).text
    assert told
    assert told.format
    assert (told.format.type, told.format.to_dict()["strict"]) == ("json_schema", True)


@BOTH
@VCR
def test_json_object(asked: Asked) -> None:
    asking_for = "Answer as JSON with keys name, age. Ada is 7 years old."
    response = asked.create(asking_for, text={"format": {"type": "json_object"}})
    assert isinstance(json.loads(response.output_text), dict)


# Tools


@BOTH
@VCR
def test_parse_of_a_call(asked: Asked) -> None:
    response = asked.parse(OSLO, tools=[pydantic_function_tool(GetWeather)])
    assert call_of(response).parsed_arguments == GetWeather(city="Oslo")
    events, final = asked.stream(OSLO, tools=[WEATHER])
    (done,) = [event for event in events if event.type == "response.function_call_arguments.done"]
    (call,) = [item for item in final.output if item.type == "function_call"]
    assert (done.arguments, done.to_dict()["name"]) == (call.arguments, "get_weather")
    assert call.parsed_arguments == {"city": "Oslo"}


def sent_back(response: Response, how: str) -> list[Any]:
    "What a client makes of an answer."
    kept = {"reasoning": ("id", "summary"), "function_call": ("call_id", "name", "arguments")}
    items = [item.to_dict() for item in response.output]
    match how:
        case "the response":
            return [*response.output]
        case "its items":
            return items
        case "sealed":
            return [{**item, "content": []} if item["type"] == "reasoning" else item for item in items]
        case "named":
            return [{"type": "item_reference", "id": item["id"]} for item in items]
        case _:
            return [{"type": item["type"], **{k: item[k] for k in kept[item["type"]]}} for item in items]


@pytest.mark.parametrize("how", SENT_BACK)
@BOTH
@VCR
def test_a_loop(asked: Asked, how: str) -> None:
    "However the client sends the call back, the engine is asked the same."
    fields: dict[str, Any] = {"tools": [WEATHER], "include": [SEALED]}
    history: list[Any] = [{"role": "user", "content": OSLO}]
    first = asked.create(history, **fields)
    history += [*sent_back(first, how), result_of(call_of(first), "Sunny in Oslo")]
    second = asked.create(history, **fields)
    assert "Sunny in Oslo" in second.output_text
    brought = asked.brought(second.id, limit=1)
    assert [item.type for item in brought] == [
        "message",
        "reasoning",
        "function_call",
        "function_call_output",
    ]
    assert brought[2].call_id == call_of(first).call_id


@BOTH
@VCR
def test_a_loop_on_the_server(asked: Asked) -> None:
    first = asked.create(OSLO, tools=[WEATHER])
    result = result_of(call_of(first), "Sunny in Oslo")
    second = asked.create([result], tools=[WEATHER], previous_response_id=first.id)
    assert "Sunny in Oslo" in second.output_text
    conversation = asked.sdk.call(lambda client: client.conversations.create())
    third = asked.create(OSLO, tools=[WEATHER], conversation=conversation.id)
    assert third.conversation
    assert third.conversation.id == conversation.id
    result = result_of(call_of(third), "Sunny in Oslo")
    fourth = asked.create([result], tools=[WEATHER], conversation={"id": conversation.id})
    assert fourth.output_text == second.output_text


@BOTH
@VCR
def test_a_client_that_keeps_nothing_here(asked: Asked) -> None:
    "As Codex and llm ask."
    fields: dict[str, Any] = {"tools": [WEATHER], "include": [SEALED], "store": False}
    history: list[Any] = [{"role": "user", "content": OSLO}]
    first = asked.create(history, **fields)
    call = call_of(first)
    history += [*sent_back(first, "sealed"), result_of(call, "Sunny in Oslo")]
    assert "Sunny in Oslo" in asked.create(history, **fields).output_text
    with pytest.raises(openai.NotFoundError):
        asked.retrieve(first.id)


@BOTH
@VCR
def test_a_custom_tool(asked: Asked) -> None:
    choice = {"type": "custom", "name": "echo"}
    events = asked.events("Echo: hello there", tools=[ECHO], tool_choice=choice)
    response = events[-1].response
    call = call_of(response)
    assert (call.type, call.name, call.input) == ("custom_tool_call", "echo", "hello there")
    (done,) = [event for event in events if event.type == "response.custom_tool_call_input.done"]
    assert done.input == "hello there"
    result = result_of(call, "hello there")
    second = asked.create([result], tools=[ECHO], previous_response_id=response.id)
    assert second.output_text
    assert [item.type for item in asked.brought(second.id)] == ["custom_tool_call_output"]


@BOTH
@VCR
def test_a_tool_in_a_namespace(asked: Asked) -> None:
    response = asked.create(OSLO, tools=[SPACE])
    call = call_of(response)
    assert (call.namespace, call.name) == ("outside", "get_weather")
    history = [{"role": "user", "content": OSLO}, *response.output, result_of(call, "Sunny in Oslo")]
    assert "Sunny in Oslo" in asked.create(history, tools=[SPACE]).output_text


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
def test_choices_of_a_tool(asked: Asked, choice: Any, names: set[str]) -> None:
    response = asked.create(OSLO, tools=[WEATHER, ADD], tool_choice=choice)
    called = {item.name for item in response.output if item.type == "function_call"}
    assert called <= names
    assert bool(called) == bool(names) != bool(response.output_text)
    told = response.tool_choice
    assert (told if isinstance(told, str) else told.to_dict()) == choice


@BOTH
def test_one_call_at_most(scripted: Callable[..., Any]) -> None:
    call = '<|channel|>commentary to=functions.add <|constrain|>json<|message|>{"a":1,"b":2}'
    with scripted(*[f"{call}<|end|><|start|>assistant{call}"] * 2) as asked:
        both = asked.create("Add", tools=[ADD])
        one = asked.create("Add", tools=[ADD], parallel_tool_calls=False)
    assert [len(response.output) for response in (both, one)] == [2, 1]


# What is kept


@BOTH
@VCR
def test_input_items(asked: Asked) -> None:
    said = [{"role": "user", "content": str(number)} for number in range(4)]
    input = [*said, {"role": "user", "content": "Say hello"}]
    response = asked.create(input)
    items = asked.brought(response.id, limit=2)
    assert [item.content[0].text for item in items] == ["0", "1", "2", "3", "Say hello"]
    first = asked.sdk.call(lambda client: client.responses.input_items.list(response.id, limit=2))
    assert ([item.id for item in first.data], first.has_more) == ([items[4].id, items[3].id], True)
    after = asked.brought(response.id, after=items[2].id)
    assert after == items[3:]


@BOTH
@VCR
def test_delete(asked: Asked) -> None:
    response = asked.create("Say hello")
    assert asked.sdk.call(lambda client: client.responses.delete(response.id)) is None
    for ask in (
        lambda client: client.responses.retrieve(response.id),
        lambda client: client.responses.delete(response.id),
        lambda client: client.responses.cancel(response.id),
    ):
        with pytest.raises(openai.NotFoundError):
            asked.sdk.call(ask)
    with pytest.raises(openai.NotFoundError):
        asked.brought(response.id)
    with pytest.raises(openai.BadRequestError) as caught:
        asked.create("Say hello", previous_response_id=response.id)
    assert (caught.value.code, caught.value.param) == (
        "previous_response_not_found",
        "previous_response_id",
    )


@BOTH
@VCR
def test_input_tokens(asked: Asked) -> None:
    fields: dict[str, Any] = {"model": MODEL, "input": OSLO, "tools": [WEATHER], "instructions": "Be brief."}
    counted = asked.sdk.call(lambda client: client.responses.input_tokens.count(**fields))
    response = asked.create(**fields)
    assert response.usage
    assert (counted.object, counted.input_tokens) == ("response.input_tokens", response.usage.input_tokens)


# What the SDK types as an answer is a message of the user's, as at OpenAI.
@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")
@BOTH
@VCR
def test_compact(asked: Asked) -> None:
    first = asked.create("My name is Ada.")
    fields = {"model": MODEL, "input": "What is SQLite?", "previous_response_id": first.id}
    compacted = asked.sdk.call(lambda client: client.responses.compact(**fields))
    assert compacted.object == "response.compaction"
    assert [item.type for item in compacted.output] == ["message", "message", "compaction"]
    assert compacted.usage.output_tokens > 0
    input = [*compacted.output, {"role": "user", "content": "Say hello"}]
    response = asked.create(input)
    assert response.output_text
    kinds = [item.type for item in asked.brought(response.id)]
    assert kinds == ["message", "message", "compaction", "message"]


@BOTH
@VCR
def test_background(asked: Asked) -> None:
    queued = asked.create("What is SQLite?", background=True)
    assert (queued.status, queued.background) == ("queued", True)
    events = asked.streamed_again(queued.id)
    accumulated([event.to_dict() for event in events])
    assert [event.type for event in events[:3]] == [
        "response.created",
        "response.queued",
        "response.in_progress",
    ]
    response = asked.retrieve(queued.id)
    assert (response.status, response) == ("completed", events[-1].response)
    assert asked.streamed_again(queued.id, starting_after=5) == events[6:]
    assert asked.sdk.call(lambda client: client.responses.cancel(queued.id)) == response


class Endless(HeldEngine):
    "Says hello and never ends."

    def __init__(self) -> None:
        super().__init__(*[piece.text for piece in pieces("<|channel|>final<|message|>Hello")])


@BOTH
def test_cancel(scripted: Callable[..., Any]) -> None:
    with scripted(engine=Endless()) as asked:
        queued = asked.create("Hi", background=True)
        while asked.retrieve(queued.id).status != "in_progress":
            time.sleep(0.01)
        cancelled = asked.sdk.call(lambda client: client.responses.cancel(queued.id))
        assert cancelled.status == "cancelled"
        assert asked.retrieve(queued.id) == cancelled
        events = asked.streamed_again(queued.id)
        assert (events[-1].type, events[-1].response.status) == ("response.incomplete", "cancelled")


# What goes wrong


def wrong(fields: dict[str, Any], status: int, code: str | None, param: str | None, *ids: Any) -> Any:
    return pytest.param(fields, status, code, param, id="-".join(map(str, ids or fields)))


KIND: dict[int, type[openai.APIStatusError]] = {
    400: openai.BadRequestError,
    401: openai.AuthenticationError,
    403: openai.PermissionDeniedError,
    404: openai.NotFoundError,
    409: openai.ConflictError,
}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("fields", "status", "code", "param"),
    [
        wrong({"model": "gpt-6"}, 404, "model_not_found", "model"),
        wrong({"temperature": 3}, 400, "decimal_above_max_value", "temperature"),
        wrong({"previous_response_id": "resp_1"}, 400, "previous_response_not_found", "previous_response_id"),
        wrong({"conversation": "conv_1"}, 404, None, "conversation"),
        wrong(
            {"conversation": "conv_1", "previous_response_id": "resp_1"},
            400,
            "mutually_exclusive_parameters",
            "previous_response_id",
        ),
        wrong({"input": []}, 400, "invalid_value", "input"),
        wrong({"input": [{"type": "item_reference", "id": "msg_1"}]}, 404, None, "input", "reference"),
        wrong(
            {"input": [{"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "x"}]},
            400,
            "invalid_encrypted_content",
            "input",
            "sealed",
        ),
        wrong(
            {"input": [{"type": "function_call_output", "call_id": "call_1", "output": ""}]},
            400,
            None,
            "input",
            "no call",
        ),
        wrong({"background": True, "store": False}, 400, "invalid_value", "background"),
        wrong({"prompt": {"id": "pmpt_1"}}, 400, "unsupported_parameter", "prompt"),
        wrong({"tool_choice": "required"}, 400, "invalid_value", "tool_choice"),
        wrong({"tool_choice": {"type": "web_search_preview"}}, 400, "invalid_value", "tool_choice", "hosted"),
        wrong({"include": ["everything"]}, 400, "invalid_value", "include[0]"),
        wrong({"extra_body": {"nonsense": 1}}, 400, "unknown_parameter", "nonsense"),
    ],
)
@BOTH
def test_errors(
    scripted: Callable[..., Any],
    stream: bool,
    fields: dict[str, Any],
    status: int,
    code: str | None,
    param: str | None,
) -> None:
    with scripted("unused") as asked:
        ask = asked.events if stream else asked.create
        with pytest.raises(KIND[status]) as caught:
            ask(**{"input": "Hi", **fields})
    assert (caught.value.status_code, caught.value.code, caught.value.param) == (status, code, param)
    assert caught.value.request_id


@BOTH
def test_what_is_not_there(scripted: Callable[..., Any]) -> None:
    with scripted() as asked:
        for ask in (
            lambda client: client.responses.retrieve("resp_1"),
            lambda client: client.responses.delete("resp_1"),
            lambda client: client.responses.cancel("resp_1"),
            lambda client: client.responses.input_items.list("resp_1"),
        ):
            with pytest.raises(openai.NotFoundError, match="'resp_1' not found"):
                asked.sdk.call(ask)
        with pytest.raises(openai.NotFoundError):
            asked.streamed_again("resp_1")


@BOTH
def test_strangers(scripted: Callable[..., Any]) -> None:
    with scripted(key_hash=hash_key("sesame")) as asked, pytest.raises(openai.AuthenticationError) as caught:
        asked.create("Hi")
    assert caught.value.code == "invalid_api_key"


@BOTH
def test_pages_of_others(scripted: Callable[..., Any]) -> None:
    with scripted() as asked, pytest.raises(openai.PermissionDeniedError):
        asked.create("Hi", extra_headers={"Origin": "https://evil.example"})


@BOTH
def test_a_conversation_takes_one_at_a_time(scripted: Callable[..., Any]) -> None:
    with scripted(engine=Endless()) as asked:
        conversation = asked.sdk.call(lambda client: client.conversations.create())
        queued = asked.create("Hi", conversation=conversation.id, background=True)
        with pytest.raises(openai.ConflictError) as caught:
            asked.create("Hi", conversation=conversation.id)
        assert caught.value.code == "conversation_locked"
        asked.sdk.call(lambda client: client.responses.cancel(queued.id))


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    "How long the SDK waited before it asked again."
    waits: list[float] = []

    async def asleep(seconds: float) -> None:
        waits.append(seconds)

    monkeypatch.setattr(openai._base_client.time, "sleep", waits.append)
    monkeypatch.setattr(openai._base_client.anyio, "sleep", asleep)
    return waits


HELLO = "<|channel|>final<|message|>Hello!"
DOWN = EngineUnreachable("Nobody answers.")


@pytest.mark.parametrize("stream", [False, True])
@BOTH
def test_retries(scripted: Callable[..., Any], slept: list[float], stream: bool) -> None:
    with scripted(DOWN, DOWN, HELLO, max_retries=2) as asked:
        response = asked.stream("Hi")[1] if stream else asked.create("Hi")
        assert response.output_text == "Hello!"
    assert slept == [5, 5]


@pytest.mark.parametrize("stream", [False, True])
@BOTH
def test_no_retry_of_what_will_fail_again(
    scripted: Callable[..., Any], slept: list[float], stream: bool
) -> None:
    with (
        scripted(StreamCut("The stream was cut."), max_retries=2) as asked,
        pytest.raises(openai.InternalServerError) as caught,
    ):
        (asked.events if stream else asked.create)("Hi")
    assert (caught.value.status_code, slept) == (502, [])


@BOTH
def test_a_stream_that_breaks_off(scripted: Callable[..., Any]) -> None:
    broken = [*pieces("<|channel|>final<|message|>Hello"), BadAnswer("Nothing more came.", raw="")]
    with scripted(broken, broken) as asked:
        events = asked.events("Hi")
        last = events[-1]
        assert (last.type, last.response.status) == ("response.failed", "failed")
        assert (last.response.error.code, last.response.error.message) == (
            "server_error",
            "Nothing more came. Ask in other words.",
        )
        assert text_of(last.response) == "Hello"
        assert asked.retrieve(last.response.id) == last.response
        assert asked.streamed_again(last.response.id) == events
        _, final = asked.stream("Hi")
        assert final is None


# Over a WebSocket


@contextmanager
def listening(app: FastAPI) -> Iterator[str]:
    "A real server on this machine, in a thread of its own."
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        server.should_exit = True
        thread.join()


LAST = ("response.completed", "response.incomplete", "response.failed", "error")


def connected(url: str, *requests: Callable[[list[Any]], dict[str, Any]]) -> list[list[Any]]:
    "The events of each response; a request is made of those of the one before it."
    told: list[list[Any]] = [[]]
    client = openai.OpenAI(base_url=url, api_key="any")
    with client, client.responses.connect() as connection:
        for request in requests:
            connection.response.create(**{"model": MODEL, **request(told[-1])})
            told.append([connection.recv()])
            while told[-1][-1].type not in LAST:
                told[-1].append(connection.recv())
    return told[1:]


def aconnected(url: str, *requests: Callable[[list[Any]], dict[str, Any]]) -> list[list[Any]]:
    async def asked() -> list[list[Any]]:
        told: list[list[Any]] = [[]]
        client = openai.AsyncOpenAI(base_url=url, api_key="any")
        async with client, client.responses.connect() as connection:
            for request in requests:
                await connection.response.create(**{"model": MODEL, **request(told[-1])})
                told.append([await connection.recv()])
                while told[-1][-1].type not in LAST:
                    told[-1].append(await connection.recv())
        return told[1:]

    return asyncio.run(asked())


CONNECTED = pytest.mark.parametrize("connect", [connected, aconnected], ids=["sync", "async"])
# How the SDK 3.54 uses websockets 17.
LEGACY = pytest.mark.filterwarnings("ignore:connect:DeprecationWarning")


@LEGACY
@CONNECTED
@VCR
def test_connect(connect: Callable[..., list[list[Any]]], app_with: Callable[..., FastAPI]) -> None:
    with listening(app_with()) as url:
        called, answered = connect(
            url,
            lambda _: {"input": OSLO, "tools": [WEATHER], "store": False},
            lambda told: {
                "input": [result_of(call_of(told[-1].response), "Sunny in Oslo")],
                "tools": [WEATHER],
                "store": False,
                "previous_response_id": told[-1].response.id,
            },
        )
    for events in (called, answered):
        accumulated([event.to_dict() for event in events])
        assert [event.sequence_number for event in events] == [*range(len(events))]
    assert "Sunny in Oslo" in text_of(answered[-1].response)


@LEGACY
@CONNECTED
def test_errors_over_a_connection(
    connect: Callable[..., list[list[Any]]], app_with: Callable[..., FastAPI]
) -> None:
    "Behind which it goes on."
    with listening(app_with(DOWN, HELLO)) as url:
        unknown, bad, down, whole = connect(
            url,
            lambda _: {"input": "Hi", "previous_response_id": "resp_1"},
            lambda _: {"input": "Hi", "temperature": 3},
            lambda _: {"input": "Hi"},
            lambda _: {"input": "Hi"},
        )
    errors = [events[0].to_dict() for events in (unknown, bad, down)]
    assert [(error["type"], error["status"], error["error"]["code"]) for error in errors] == [
        ("error", 400, "previous_response_not_found"),
        ("error", 400, "decimal_above_max_value"),
        ("error", 503, "engine_unreachable"),
    ]
    assert text_of(whole[-1].response) == "Hello!"
