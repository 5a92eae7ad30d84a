"Values in the form of other APIs, on the address of the Responses API."

from __future__ import annotations

import json
from typing import Any

import pytest
from llm.parts import Message, ReasoningPart, TextPart, ToolCallPart, ToolResultPart

from proxy.api.responses import from_chat
from proxy.api.responses.request import ResponsesRequest
from proxy.generation import GenerationRequest
from proxy.http.errors import ApiError
from proxy.http.request_body import parse_body

SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}}
ADD = {"type": "function", "name": "add", "description": "Adds", "parameters": SCHEMA}
ADDS = {"name": "add", "description": "Adds", "parameters": SCHEMA}
GRAMMAR = {"syntax": "lark", "definition": "start: /x/"}


@pytest.mark.parametrize(
    ("tool", "expected"),
    [
        pytest.param(ADD, ADD, id="responses"),
        pytest.param({"type": "function", "function": ADDS}, ADD, id="chat"),
        pytest.param({"function": ADDS}, ADD, id="chat, no type"),
        pytest.param({"name": "add", "description": "Adds", "input_schema": SCHEMA}, ADD, id="anthropic"),
        pytest.param(
            {
                "type": "custom",
                "custom": {"name": "patch", "format": {"type": "grammar", "grammar": GRAMMAR}},
            },
            {"type": "custom", "name": "patch", "format": {"type": "grammar", **GRAMMAR}},
            id="custom",
        ),
        pytest.param({"type": "web_search"}, {"type": "web_search"}, id="hosted"),
        pytest.param(5, 5, id="not an object"),
    ],
)
def test_tools(tool: Any, expected: Any) -> None:
    assert from_chat.responses_tools([tool]) == [expected]


NAMED = {"type": "function", "name": "add"}


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ("auto", "auto"),
        ("any", "required"),
        ("", None),
        ({"type": "any"}, "required"),
        ({"type": "none"}, "none"),
        ({"type": "tool", "name": "add"}, NAMED),
        ({"name": "add"}, NAMED),
        ({"type": "function", "function": {"name": "add"}}, NAMED),
        (NAMED, NAMED),
        (
            {
                "type": "allowed_tools",
                "allowed_tools": {
                    "mode": "auto",
                    "tools": [{"type": "function", "function": {"name": "add"}}],
                },
            },
            {"type": "allowed_tools", "mode": "auto", "tools": [NAMED]},
        ),
        ({"type": "web_search"}, {"type": "web_search"}),
        (5, 5),
    ],
    ids=json.dumps,
)
def test_tool_choice(choice: Any, expected: Any) -> None:
    assert from_chat.responses_tool_choice(choice) == expected


def make_generation(**fields: Any) -> GenerationRequest:
    body = json.dumps({"model": "gpt-oss", **fields}).encode()
    return parse_body(body, ResponsesRequest).model.generation_request()


@pytest.mark.parametrize("field", ["messages", "input"])
def test_messages(field: str) -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "add", "arguments": "{}"}}
    patch = {"id": "call_2", "type": "custom", "custom": {"name": "patch", "input": "x"}}
    messages = [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": [{"type": "text", "text": "Hi"}]},
        {"role": "assistant", "content": None, "reasoning_content": "hm", "tool_calls": [call, patch]},
        {"role": "tool", "tool_call_id": "call_1", "content": "1"},
        {"role": "tool", "tool_call_id": "call_2", "content": None},
        {"role": "assistant", "content": "Done", "refusal": None},
        {"role": "user", "content": ""},
    ]
    assert make_generation(**{field: messages}).messages == (
        Message("system", [TextPart("Be kind.")]),
        Message("user", [TextPart("Hi")]),
        Message(
            "assistant",
            [
                ReasoningPart("hm"),
                ToolCallPart("add", {}, "call_1"),
                ToolCallPart("patch", {"input": "x"}, "call_2"),
            ],
        ),
        Message("tool", [ToolResultPart("add", "1", "call_1")]),
        Message("tool", [ToolResultPart("patch", "", "call_2")]),
        Message("assistant", [TextPart("Done")]),
        Message("user", [TextPart("")]),
    )


@pytest.mark.parametrize("field", ["messages", "input"])
def test_calls_without_ids(field: str) -> None:
    messages = [
        {"role": "assistant", "function_call": {"name": "add", "arguments": "{}"}},
        {"role": "function", "name": "add", "content": "1"},
        {"role": "Assistant", "tool_calls": [{"custom": {"name": "patch"}}]},
        {"role": "TOOL", "content": "2"},
    ]
    assert make_generation(**{field: messages}).messages == (
        Message("assistant", [ToolCallPart("add", {}, "")]),
        Message("tool", [ToolResultPart("add", "1", "")]),
        Message("assistant", [ToolCallPart("patch", {"input": ""}, "")]),
        Message("tool", [ToolResultPart("patch", "2", "")]),
    )


def test_items_stay_as_they_are() -> None:
    items = [
        {"type": "message", "role": "user", "content": "Hi", "id": "msg_1"},
        {"type": "message", "role": "assistant", "content": "Ho", "phase": "commentary"},
        {"type": "function_call", "call_id": "call_1", "name": "add", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "call_1", "output": "1"},
    ]
    body = json.dumps({"model": "gpt-oss", "input": items}).encode()
    received = parse_body(body, ResponsesRequest)
    assert (received.json["input"], received.translated) == (items, False)


def test_input_wins() -> None:
    messages = [{"role": "user", "content": "Ho"}]
    assert make_generation(input="Hi", messages=messages) == make_generation(input="Hi")


@pytest.mark.parametrize(
    ("messages", "param"),
    [
        pytest.param(5, "messages", id="no list"),
        pytest.param([{"role": "robot", "content": "Hi"}], "messages[0].role", id="role"),
        pytest.param([{"role": "assistant", "tool_calls": [{}]}], "messages", id="call"),
        pytest.param([{"role": "assistant", "tool_calls": {}}], "messages", id="calls"),
        pytest.param([{"role": "user", "content": {}}], "messages[0].content", id="content"),
        pytest.param(["Hi"], "messages[0]", id="no object"),
    ],
)
def test_invalid_messages(messages: Any, param: str) -> None:
    with pytest.raises(ApiError) as caught:
        make_generation(messages=messages)
    assert (caught.value.status, caught.value.param) == (400, param)


def test_other_fields() -> None:
    generation = make_generation(
        input="Hi",
        system="Be kind.",
        max_tokens=5,
        reasoning_effort="low",
        verbosity="high",
        functions=[{"name": "add"}],
        function_call={"name": "add"},
        response_format={"type": "json_object"},
    )
    assert generation.options == {"max_tokens": 5, "reasoning_effort": "low", "tool_choice": "add"}
    assert [message.parts[0] for message in generation.messages[:2]] == [
        TextPart("Answer at length and in detail."),
        TextPart("Be kind."),
    ]
    assert (generation.schema, [tool.name for tool in generation.tools]) == ({"type": "object"}, ["add"])


@pytest.mark.parametrize("functions", [[], None])
def test_no_functions(functions: Any) -> None:
    assert make_generation(input="Hi", functions=functions) == make_generation(input="Hi")


@pytest.mark.parametrize("functions", [5, [5]])
def test_invalid_functions(functions: Any) -> None:
    with pytest.raises(ApiError) as caught:
        make_generation(input="Hi", functions=functions)
    assert (caught.value.param or "").startswith("functions")
