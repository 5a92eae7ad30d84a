"Whatever a client sends, the answer is valid or an error of the client."

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from support.anything import JSON
from support.fuzzed_app import FuzzedApp, check_error, one_app_for_all
from support.requests import CHAT, MINIMAL, asking

from proxy.api.chat_completions.request import ChatRequest

# Words and keys that get a request further into the code than arbitrary ones.
WORDS = st.sampled_from(
    [
        "text",
        "function",
        "custom",
        "user",
        "tool",
        "assistant",
        "system",
        "auto",
        "required",
        "f",
        "json_object",
    ]
)
KEYS = st.sampled_from(
    ["type", "role", "content", "name", "function", "arguments", "tool_calls", "id", "parameters",
     "json_schema", "schema", "properties", "$ref", "anyOf", "effort", "max_tokens"]
)  # fmt: skip
NEARLY: SearchStrategy[Any] = st.recursive(
    WORDS | JSON,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)
NAMES = sorted({name.partition(".")[0] for name in ChatRequest.FIELDS})
FIELDS = st.dictionaries(st.sampled_from(NAMES), NEARLY, max_size=4)
MESSAGES = st.lists(st.dictionaries(KEYS, NEARLY, max_size=4), max_size=3)


class ChatApp(FuzzedApp):
    "An app without a log, asked for chat completions."

    def __init__(self) -> None:
        super().__init__(asking())

    def status(self, body: bytes) -> int:
        answer = self.run(self.opened.post(CHAT, content=body))
        if answer.status_code != 200:
            check_error(answer)
        return int(answer.status_code)


@pytest.fixture
def app() -> Iterator[ChatApp]:
    app = ChatApp()
    yield app
    app.close()


@one_app_for_all
@given(st.binary(max_size=40) | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_body(app: ChatApp, body: bytes) -> None:
    assert app.status(body) == 400


@one_app_for_all
@given(FIELDS)
def test_any_fields(app: ChatApp, fields: dict[str, Any]) -> None:
    assert app.status(json.dumps({**MINIMAL, **fields}).encode()) in (200, 400, 404)


@one_app_for_all
@given(MESSAGES)
def test_any_messages(app: ChatApp, messages: list[Any]) -> None:
    assert app.status(json.dumps({**MINIMAL, "messages": messages}).encode()) in (200, 400)


def nested(depth: int, keyword: str) -> Any:
    schema: Any = {"type": "string"}
    for _ in range(depth):
        schema = (
            {"type": "object", "properties": {"a": schema}} if keyword == "object" else {keyword: [schema]}
        )
    return schema


@pytest.mark.parametrize("depth", [20, 60, 90, 150, 190])
@pytest.mark.parametrize("keyword", ["object", "anyOf", "allOf"])
@pytest.mark.parametrize("field", ["tools", "response_format", "messages"])
def test_deep_schemas(app: ChatApp, depth: int, keyword: str, field: str) -> None:
    schema = nested(depth, keyword)
    fields: dict[str, Any] = {
        "tools": {"tools": [{"type": "function", "function": {"name": "f", "parameters": schema}}]},
        "response_format": {
            "response_format": {"type": "json_schema", "json_schema": {"name": "s", "schema": schema}}
        },
        "messages": {"messages": [*MINIMAL["messages"], {"role": "assistant", "tool_calls": [
            {"id": "a", "type": "function", "function": {"name": "f", "arguments": json.dumps(schema)}}
        ]}, {"role": "tool", "tool_call_id": "a", "content": ""}]},
    }[field]  # fmt: skip
    assert app.status(json.dumps({**MINIMAL, **fields}).encode()) in (200, 400)


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#"},
        {"$ref": "#/nowhere"},
        {"$ref": "https://example.com/x.json"},
        {"$defs": {"a": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"},
        {"type": "object", "properties": {"a": {"$ref": "#"}}},
        {"type": 5},
        {"type": "object", "properties": []},
        {"enum": "x"},
        {"pattern": "("},
        {"anyOf": {}},
    ],
)
@pytest.mark.parametrize("field", ["tools", "response_format"])
def test_odd_schemas(app: ChatApp, schema: Any, field: str) -> None:
    fields = {
        "tools": {"tools": [{"type": "function", "function": {"name": "f", "parameters": schema}}]},
        "response_format": {
            "response_format": {"type": "json_schema", "json_schema": {"name": "s", "schema": schema}}
        },
    }[field]
    assert app.status(json.dumps({**MINIMAL, **fields}).encode()) in (200, 400)


@pytest.mark.parametrize("depth", [190, 1000, 100_000])
def test_deep_arguments(app: ChatApp, depth: int) -> None:
    call = {"name": "f", "arguments": '{"a":' * depth + "1" + "}" * depth}
    calls_tool = {"role": "assistant", "tool_calls": [{"id": "a", "type": "function", "function": call}]}
    messages = [*MINIMAL["messages"], calls_tool, {"role": "tool", "tool_call_id": "a", "content": ""}]
    assert app.status(json.dumps({**MINIMAL, "messages": messages}).encode()) in (200, 400)
