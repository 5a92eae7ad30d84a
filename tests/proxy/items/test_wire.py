"Items that clients send. Every type of the SDK is covered."

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, get_args

import pytest
from openai.types.responses import ResponseInputItemParam
from pydantic import BaseModel, TypeAdapter, ValidationError
from typing_extensions import get_type_hints  # typing's own leaves Required[] around a type on 3.10

from proxy.http.body_model import Body
from proxy.http.errors import ApiError
from proxy.http.validation_errors import validation_api_error
from proxy.items import wire
from proxy.items.wire import UNSUPPORTED_ITEMS, AnyItem

# What becomes of each type. One that a new SDK adds fails here until someone decides.
READ = {
    "message": wire.MessageItem,
    "reasoning": wire.ReasoningItem,
    "function_call": wire.FunctionCallItem,
    "function_call_output": wire.ToolOutputItem,
    "custom_tool_call": wire.CustomToolCallItem,
    "custom_tool_call_output": wire.ToolOutputItem,
    "item_reference": wire.ItemReference,
    "compaction": wire.CompactionItem,
}
# Without a meaning here, and harmless: what another server did by itself is told in the answer that follows.
SKIPPED = {
    "code_interpreter_call",
    "file_search_call",
    "image_generation_call",
    "mcp_approval_request",
    "mcp_call",
    "mcp_list_tools",
    "web_search_call",
}


class Request(Body):
    input: str | list[AnyItem]


ITEM: TypeAdapter[Any] = TypeAdapter(AnyItem)
INPUT: TypeAdapter[Any] = TypeAdapter(Request)
LEAST: dict[str, Any] = {
    "role": "user",
    "content": [],
    "id": "rs_1",
    "call_id": "call_1",
    "name": "add",
    "arguments": "{}",
    "input": "x",
    "output": "2",
    "encrypted_content": "…",
}


def sdk_types() -> Iterator[str]:
    for literal in get_args(ResponseInputItemParam):
        yield from literals(get_type_hints(literal)["type"])


def literals(hint: Any) -> Iterator[str]:
    for arg in get_args(hint):
        if isinstance(arg, str):
            yield arg
        else:
            yield from literals(arg)


def parse(item: Any) -> Any:
    return ITEM.validate_json(json.dumps(item))


def error_of(item: Any) -> ApiError:
    body = {"input": [item]}
    with pytest.raises(ValidationError) as caught:
        INPUT.validate_json(json.dumps(body))
    return validation_api_error(caught.value.errors(include_url=False), body)


def test_every_type_of_the_sdk_is_covered() -> None:
    assert {*sdk_types()} == READ.keys() | SKIPPED | UNSUPPORTED_ITEMS.keys()
    assert READ.keys().isdisjoint(SKIPPED | UNSUPPORTED_ITEMS.keys())


@pytest.mark.parametrize("item_type", READ)
def test_supported_items(item_type: str) -> None:
    assert isinstance(
        parse({"type": item_type, **LEAST, **({"content": None} if item_type == "reasoning" else {})}),
        READ[item_type],
    )


@pytest.mark.parametrize("item_type", sorted(SKIPPED))
def test_skipped_items(item_type: str) -> None:
    assert isinstance(parse({"type": item_type, "action": {"type": "search"}}), wire.SkippedItem)


@pytest.mark.parametrize("item_type", UNSUPPORTED_ITEMS)
def test_unsupported_items(item_type: str) -> None:
    error = error_of({"type": item_type})
    assert error.code == "invalid_value"
    assert f"'{item_type}'" in error.message
    assert (UNSUPPORTED_ITEMS[item_type] or "") in error.message


@pytest.mark.parametrize(
    ("item", "item_type"),
    [
        pytest.param({"role": "user", "content": "Hi"}, wire.MessageItem, id="message"),
        pytest.param(
            {"type": None, "role": "user", "content": "Hi"}, wire.MessageItem, id="null and message"
        ),
        pytest.param({"id": "msg_1"}, wire.ItemReference, id="reference"),
        pytest.param({"type": None, "id": "msg_1"}, wire.ItemReference, id="null and reference"),
        pytest.param({"type": "", "id": "msg_1"}, wire.ItemReference, id="empty and reference"),
        pytest.param({"role": "USER", "content": "Hi"}, wire.MessageItem, id="role in upper case"),
        pytest.param(
            {"id": "msg_1", "role": "user", "content": []}, wire.MessageItem, id="message with its id"
        ),
    ],
)
def test_items_without_a_type(item: dict[str, Any], item_type: type[BaseModel]) -> None:
    assert isinstance(parse(item), item_type)


@pytest.mark.parametrize(
    ("item", "code", "param"),
    [
        pytest.param({"type": "telepathy"}, "invalid_value", "type", id="unknown type"),
        pytest.param({"type": 5}, "invalid_type", "type", id="a number for a type"),
        pytest.param({"type": {}}, "invalid_type", "type", id="an object for a type"),
        pytest.param({}, "missing_required_parameter", "type", id="nothing"),
        pytest.param("Hi", "invalid_type", None, id="a string"),
        pytest.param({"role": "tool", "content": ""}, "invalid_value", "role", id="unknown role"),
        pytest.param({"role": "user", "content": ["Hi"]}, "invalid_type", "content[0]", id="bare strings"),
        pytest.param(
            {"role": "user", "content": [{"type": "hologram"}]},
            "invalid_value",
            "content[0].type",
            id="part",
        ),
        pytest.param(
            {"role": "assistant", "content": "", "phase": "analysis"}, "invalid_value", "phase", id="phase"
        ),
        pytest.param(
            {"type": "function_call", "call_id": "c", "name": "f", "arguments": []},
            "invalid_type",
            "arguments",
            id="arguments as a list",
        ),
        pytest.param(
            {"type": "reasoning", "content": [{"type": "reasoning_text", "text": 5}]},
            "invalid_type",
            "content[0].text",
            id="reasoning",
        ),
        pytest.param({"type": "item_reference"}, "missing_required_parameter", "id", id="reference"),
        pytest.param(
            {"type": "compaction"}, "missing_required_parameter", "encrypted_content", id="compaction"
        ),
    ],
)
def test_parts_without_an_item(item: Any, code: str, param: str | None) -> None:
    error = error_of(item)
    assert (error.code, error.param) == (code, f"input[0].{param}" if param else "input[0]")


@pytest.mark.parametrize("item_type", ["message", "reasoning", "function_call", "custom_tool_call"])
def test_unknown_keys_are_ignored(item_type: str) -> None:
    assert parse({"type": item_type, **LEAST, "status": "completed", "content": [], "thought_signature": "…"})
