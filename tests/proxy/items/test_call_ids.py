from __future__ import annotations

from typing import Any

import pytest
from llm.parts import ToolCallPart, ToolResultPart
from pydantic import TypeAdapter

from proxy.api.chat_completions.messages import AnyMessage
from proxy.api.chat_completions.messages import to_messages as chat_messages
from proxy.items.messages import to_messages as item_messages
from proxy.items.wire import AnyItem

# Calls (names) and results (outputs) in order, each with its id, and the ids that they get.
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
]


def items(entries: list[Any]) -> list[dict[str, Any]]:
    return [
        {"type": "function_call", "name": entry[0], "call_id": entry[1], "arguments": "{}"}
        if isinstance(entry, tuple)
        else {"type": "function_call_output", "call_id": entry[0], "output": entry[2:]}
        for entry in entries
    ]


def chat(entries: list[Any]) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = []
    for entry in entries:
        if isinstance(entry, str):
            messages.append({"role": "tool", "tool_call_id": entry[0], "content": entry[2:]})
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
