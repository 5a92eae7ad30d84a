from __future__ import annotations

import json
from typing import Any

import pytest
from llm.parts import Message, ReasoningPart, TextPart, ToolCallPart, ToolResultPart

from proxy.api.ollama.request import logged_generation
from proxy.generation import GenerationRequest

HI = {"role": "user", "content": "Hi"}


def parse(endpoint: str, **fields: Any) -> GenerationRequest | None:
    return logged_generation(endpoint, json.loads(json.dumps({"model": "x", **fields})))


def chat(*messages: dict[str, Any], **fields: Any) -> GenerationRequest:
    generation = parse("/api/chat", messages=messages, **fields)
    assert generation is not None
    return generation


def generate(**fields: Any) -> GenerationRequest:
    generation = parse("/api/generate", **fields)
    assert generation is not None
    return generation


def test_chat() -> None:
    assert chat(HI) == GenerationRequest("/api/chat", "x", (Message("user", [TextPart("Hi")]),), stream=True)


def test_chat_without_streaming() -> None:
    assert chat(HI, stream=False).stream is False


@pytest.mark.parametrize(
    ("message_json", "message"),
    [
        pytest.param(
            {"role": "assistant", "thinking": "hm", "content": "Yes"},
            Message("assistant", [ReasoningPart("hm"), TextPart("Yes")]),
            id="reasoning",
        ),
        pytest.param(
            {
                "role": "assistant",
                "content": "",
                "tool_calls": [{"id": "c1", "function": {"index": 0, "name": "f", "arguments": {"a": 1}}}],
            },
            Message("assistant", [ToolCallPart("f", {"a": 1}, "c1")]),
            id="call",
        ),
        pytest.param(
            {"role": "tool", "tool_name": "f", "content": "2", "tool_call_id": "c1"},
            Message("tool", [ToolResultPart("f", "2", "c1")]),
            id="result",
        ),
        pytest.param({"role": "tool"}, Message("tool", [ToolResultPart("", "")]), id="bare result"),
        pytest.param(
            {"role": "user", "content": "See", "images": ["aGk="]},
            Message("user", [TextPart("See")]),
            id="image",
        ),
        pytest.param({"role": "user", "content": None}, Message("user", []), id="null"),
    ],
)
def test_messages(message_json: dict[str, Any], message: Message) -> None:
    assert chat(message_json).messages == (message,)


def test_tools_schema_and_options() -> None:
    parameters = {"type": "object", "properties": {"a": {"type": "integer"}}}
    tools = [
        {"type": "function", "function": {"name": "f", "description": "F", "parameters": parameters}},
        {"type": "function", "function": {"name": "g"}},
    ]
    generation = chat(HI, tools=tools, format={"type": "object"}, options={"seed": 1}, think="low")
    tools = [(tool.name, tool.description, tool.input_schema) for tool in generation.tools]
    assert tools == [("f", "F", parameters), ("g", None, {})]
    assert generation.schema == {"type": "object"}
    assert generation.options == {"seed": 1, "think": "low"}


@pytest.mark.parametrize("form", [None, "json", "", {}])
def test_formats_without_a_schema(form: Any) -> None:
    assert chat(HI, format=form).schema is None


def test_generate() -> None:
    generation = generate(prompt="Hi", system="Be brief", think=False)
    assert generation.endpoint == "/api/generate"
    assert generation.messages == (
        Message("system", [TextPart("Be brief")]),
        Message("user", [TextPart("Hi")]),
    )
    assert generation.options == {"think": False}


@pytest.mark.parametrize(
    ("endpoint", "fields"),
    [
        pytest.param("/api/chat", {}, id="loads by chat"),
        pytest.param("/api/chat", {"messages": []}, id="loads by an empty chat"),
        pytest.param("/api/generate", {"system": "Be brief"}, id="loads by generate"),
        pytest.param("/api/generate", {"prompt": ""}, id="loads by an empty prompt"),
        pytest.param("/api/embed", {"input": "Hi"}, id="another endpoint"),
        pytest.param("/api/chat", {"messages": "Hi"}, id="of another form"),
        pytest.param("/api/chat", {"messages": [HI], "model": None}, id="no model"),
    ],
)
def test_requests_that_are_not_logged(endpoint: str, fields: dict[str, Any]) -> None:
    assert parse(endpoint, **fields) is None


@pytest.mark.parametrize("data", [None, [], "", {"model": 5}, {"prompt": "Hi"}])
def test_invalid_bodies(data: object) -> None:
    assert logged_generation("/api/generate", data) is None
