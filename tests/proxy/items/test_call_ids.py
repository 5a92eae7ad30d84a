from __future__ import annotations

from typing import Any

import pytest
from llm.parts import ToolCallPart, ToolResultPart
from pydantic import TypeAdapter

from proxy.api.chat_completions.messages import AnyMessage
from proxy.api.chat_completions.messages import to_messages as chat_messages
from proxy.items.call_ids import CallIds
from proxy.items.messages import to_messages as item_messages
from proxy.items.wire import AnyItem

# Calls and results in order, each with its id, and what they get: `f:1` is a call of f with the id 1.
ROWS: list[Any] = [
    pytest.param([("f", "1"), ("g", "2"), "1=a", "2=b"], "f:1 g:2 f:1=a g:2=b", id="two ids"),
    pytest.param([("f", "1"), ("g", "2"), "2=b", "1=a"], "f:1 g:2 g:2=b f:1=a", id="in another order"),
    pytest.param([("f", "1"), ("g", "1"), "1=a", "1=b"], "f:1 g:1_2 f:1=a g:1_2=b", id="one id"),
    pytest.param(
        [("f", "1"), ("f", "1"), ("g", "1"), "1=a", "1=b", "1=c"],
        "f:1 f:1_2 g:1_3 f:1=a f:1_2=b g:1_3=c",
        id="one id for three",
    ),
    pytest.param([("f", "1"), "1=a", ("g", "1"), "1=b"], "f:1 f:1=a g:1 g:1=b", id="used again"),
    pytest.param([("f", "1"), "1=a", "1=b"], "f:1 f:1=a f:1=b", id="two results"),
    pytest.param([("f", "1"), ("g", "2"), "=a", "=b"], "f:1 g:2 f:1=a g:2=b", id="results without ids"),
    pytest.param([("f", "1"), ("g", "2"), "1=a", "=b"], "f:1 g:2 f:1=a g:2=b", id="one result without an id"),
    pytest.param([("f", ""), ("g", ""), "=a", "=b"], "f: g:_2 f:=a g:_2=b", id="no ids"),
    pytest.param([("f", ""), ("g", ""), "=b of g", "=a of f"], "f: g:_2 g:_2=b f:=a", id="no ids, but names"),
    pytest.param([("f", "1"), "1=a", "=b of f"], "f:1 f:1=a f:=b", id="more results than calls"),
    pytest.param([("f", "1"), "=a of h"], "f:1 h:=a", id="a name without a call"),
]


def result(id_field: str, text_field: str, entry: str) -> dict[str, str]:
    "The fields of a result: `1=a` has the id 1, `=a of f` names the tool instead."
    call_id, _, output = entry.partition("=")
    text, _, name = output.partition(" of ")
    return {id_field: call_id, text_field: text, "name": name}


def items(entries: list[Any]) -> list[dict[str, Any]]:
    return [
        {"type": "function_call", "name": entry[0], "call_id": entry[1], "arguments": "{}"}
        if isinstance(entry, tuple)
        else {"type": "function_call_output", **result("call_id", "output", entry)}
        for entry in entries
    ]


def chat(entries: list[Any]) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = []
    for entry in entries:
        if isinstance(entry, str):
            messages.append({"role": "tool", **result("tool_call_id", "content", entry)})
            continue
        if not messages or messages[-1]["role"] == "tool":
            messages.append({"role": "assistant", "content": None, "tool_calls": []})
        function = {"name": entry[0], "arguments": "{}"}
        messages[-1]["tool_calls"].append({"id": entry[1], "type": "function", "function": function})
    return messages


def described(messages: Any) -> str:
    parts = [part for message in messages for part in message.parts]
    return " ".join(
        f"{part.name}:{part.tool_call_id}" + (f"={part.output}" if isinstance(part, ToolResultPart) else "")
        for part in parts
        if isinstance(part, ToolCallPart | ToolResultPart)
    )


@pytest.mark.parametrize(("entries", "expected"), ROWS)
def test_chat_messages(entries: list[Any], expected: str) -> None:
    messages = TypeAdapter(list[AnyMessage]).validate_python(chat(entries))
    assert described(chat_messages(messages)) == expected


@pytest.mark.parametrize(("entries", "expected"), ROWS)
def test_items(entries: list[Any], expected: str) -> None:
    parsed = TypeAdapter(list[AnyItem]).validate_python(items(entries))
    assert described(item_messages(parsed, {}).messages) == expected


def test_items_that_continue_a_conversation() -> None:
    parsed = TypeAdapter(list[AnyItem]).validate_python(items([("f", "1"), "1=a", ("g", "1"), "1=b"]))
    before = item_messages(parsed[:2], {}).messages
    assert described(item_messages(parsed[2:], {}, before).messages) == "g:1 g:1=b"


def test_each_result_without_an_id_is_found_at_once() -> None:
    count = 30_000
    call_ids = CallIds()
    calls = [call_ids.add_call(ToolCallPart("f", {}, str(n))) for n in range(count)]
    same_id = [call_ids.add_call(ToolCallPart("g", {}, "x")) for _ in range(count)]
    assert [call_ids.call_of(ToolResultPart("f", "", "")) for _ in range(count)] == calls
    assert [call_ids.call_of(ToolResultPart("", "", "x")) for _ in range(count)] == same_id
