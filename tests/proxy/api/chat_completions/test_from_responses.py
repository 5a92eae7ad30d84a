"Values in the form of other APIs, on the address of chat completions."

from __future__ import annotations

import json
from typing import Any

import pytest
from llm.parts import Message, ReasoningPart, TextPart, ToolCallPart, ToolResultPart

from proxy.api.chat_completions import from_responses
from proxy.api.chat_completions.request import ChatRequest
from proxy.generation import GenerationRequest
from proxy.http.errors import ApiError
from proxy.http.request_body import parse_body

SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}}
ADD = {"type": "function", "function": {"name": "add", "description": "Adds", "parameters": SCHEMA}}
GRAMMAR = {"syntax": "lark", "definition": "start: /x/"}
PATCH = {"type": "custom", "custom": {"name": "patch"}}
NESTED = {"type": "grammar", "grammar": GRAMMAR}


@pytest.mark.parametrize(
    ("tool", "expected"),
    [
        pytest.param(ADD, ADD, id="chat"),
        pytest.param({"function": ADD["function"]}, ADD, id="no type"),
        pytest.param({"type": "function", **ADD["function"]}, ADD, id="responses"),
        pytest.param(
            {"type": "function", "name": "add", "strict": True, "defer_loading": True},
            {"type": "function", "defer_loading": True, "function": {"name": "add", "strict": True}},
            id="responses, other fields",
        ),
        pytest.param({"name": "add", "description": "Adds", "input_schema": SCHEMA}, ADD, id="anthropic"),
        pytest.param(
            {"type": "custom", "name": "add", "description": "Adds", "input_schema": SCHEMA},
            ADD,
            id="anthropic with a type",
        ),
        pytest.param(
            {"type": "custom", "name": "patch", "format": {"type": "grammar", **GRAMMAR}},
            {"type": "custom", "custom": {"name": "patch", "format": NESTED}},
            id="custom",
        ),
        pytest.param({"custom": {"name": "patch"}}, PATCH, id="custom, no type"),
        pytest.param({"type": "web_search"}, {"type": "web_search"}, id="hosted"),
        pytest.param(5, 5, id="not an object"),
    ],
)  # fmt: skip
def test_tools(tool: Any, expected: Any) -> None:
    assert from_responses.chat_tools([tool]) == [expected]


@pytest.mark.parametrize("tools", [None, 5, {}])
def test_what_is_no_list_of_tools(tools: Any) -> None:
    assert from_responses.chat_tools(tools) == tools


NAMED = {"type": "function", "function": {"name": "add"}}


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ("auto", "auto"),
        ("any", "required"),
        ("", None),
        ({"type": "any"}, "required"),
        ({"type": "auto"}, "auto"),
        ({"type": "tool", "name": "add"}, NAMED),
        ({"type": "function", "name": "add"}, NAMED),
        (NAMED, NAMED),
        ({"type": "custom", "name": "patch"}, {"type": "custom", "custom": {"name": "patch"}}),
        (
            {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "add"}]},
            {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [NAMED]}},
        ),
        ({"type": "function"}, {"type": "function"}),
        (5, 5),
    ],
    ids=json.dumps,
)
def test_tool_choice(choice: Any, expected: Any) -> None:
    assert from_responses.chat_tool_choice(choice) == expected


def make_generation(**fields: Any) -> GenerationRequest:
    return parse_body(
        json.dumps({"model": "gpt-oss", **fields}).encode(), ChatRequest
    ).model.generation_request()


def user(text: str) -> Message:
    return Message("user", [TextPart(text)])


def test_input_text() -> None:
    generation = make_generation(input="Hi", instructions="Be kind.")
    assert generation.messages == (Message("system", [TextPart("Be kind.")]), user("Hi"))
    assert (generation.added, generation.message_of_entry) == (1, (1,))


def test_system_text() -> None:
    assert make_generation(input="Hi", system="Be kind.") == make_generation(
        input="Hi", instructions="Be kind."
    )


def call(name: str) -> dict[str, Any]:
    return {"type": "function_call", "call_id": f"call_{name}", "name": name, "arguments": "{}"}


def output(name: str) -> dict[str, Any]:
    return {"type": "function_call_output", "call_id": f"call_{name}", "output": "1"}


def test_input_items() -> None:
    items = [
        {"role": "user", "content": "Hi"},
        call("a"),
        call("b"),
        output("a"),
        output("b"),
        call("c"),
        output("c"),
    ]
    assert make_generation(input=items).messages == (
        user("Hi"),
        Message("assistant", [ToolCallPart("a", {}, "call_a"), ToolCallPart("b", {}, "call_b")]),
        Message("tool", [ToolResultPart("a", "1", "call_a")]),
        Message("tool", [ToolResultPart("b", "1", "call_b")]),
        Message("assistant", [ToolCallPart("c", {}, "call_c")]),
        Message("tool", [ToolResultPart("c", "1", "call_c")]),
    )


def test_messages_win() -> None:
    messages = [{"role": "user", "content": "Hi"}]
    assert make_generation(messages=messages, input="Ho") == make_generation(messages=messages)


@pytest.mark.parametrize(
    "item", [{"type": "reasoning", "summary": []}, {"type": "item_reference", "id": "x"}, 5]
)
def test_items_that_no_message_can_hold(item: Any) -> None:
    with pytest.raises(ApiError, match="/v1/responses") as caught:
        make_generation(input=[item])
    assert caught.value.param == "input"


def test_input_of_another_type() -> None:
    with pytest.raises(ApiError) as caught:
        make_generation(input=5)
    assert (caught.value.code, caught.value.param) == ("invalid_type", "input")


def test_other_fields() -> None:
    generation = make_generation(
        input="Hi", max_output_tokens=5, text={"verbosity": "low"}, truncation="auto"
    )
    assert generation.options == {"max_tokens": 5, "truncate": True}
    assert generation.messages[0] == Message("system", [TextPart("Answer briefly.")])


def test_reasoning_is_kept() -> None:
    messages = [{"role": "assistant", "content": "Hi", "reasoning": "hm"}]
    assert make_generation(messages=messages).messages == (
        Message("assistant", [ReasoningPart("hm"), TextPart("Hi")]),
    )
