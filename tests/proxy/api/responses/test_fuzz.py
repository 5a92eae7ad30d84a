"Whatever a client sends to `/v1/responses` and what is below it, it is the client that is at fault."

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from openai.types.responses import Response
from support.anything import JSON
from support.proxied_engine import proxied
from support.requests import Greeting

from proxy.api.responses.request import ResponsesRequest
from proxy.items.encrypted_content import to_encrypted_content

URL = "/v1/responses"
MINIMAL: dict[str, Any] = {"model": "gpt-oss", "input": "Hi"}
# Words, keys and ids that get a request further into the code than arbitrary ones.
WORDS = st.sampled_from(
    ["message", "reasoning", "function_call", "function_call_output", "custom_tool_call",
     "custom_tool_call_output", "item_reference", "compaction", "web_search_call", "computer_call",
     "input_text", "output_text", "reasoning_text", "summary_text", "refusal", "input_image", "function",
     "custom", "namespace", "allowed_tools", "mcp", "json_schema", "json_object", "text", "grammar", "lark",
     "user", "assistant", "system", "developer", "tool", "auto", "required", "none", "commentary", "f",
     "call_1", "resp_1", "conv_1", "msg_1", f"msg_{'0' * 26}_0", f"rs_{'0' * 32}_1",
     to_encrypted_content("hm"), "reasoning.encrypted_content"]
)  # fmt: skip
KEYS = st.sampled_from(
    ["type", "role", "content", "text", "id", "name", "namespace", "call_id", "arguments", "input", "output",
     "summary", "encrypted_content", "phase", "status", "tools", "parameters", "schema", "format", "mode",
     "properties", "$ref", "anyOf", "effort", "verbosity", "definition", "syntax", "strict", "description"]
)  # fmt: skip
NEARLY: SearchStrategy[Any] = st.recursive(
    WORDS | JSON,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=12,
)


def nearly(*whole: dict[str, Any]) -> SearchStrategy[dict[str, Any]]:
    "One of these as it should be, or with a key that holds anything, or without it."
    good = st.sampled_from(whole)
    changed = st.builds(lambda item, key, value: {**item, key: value}, good, KEYS, NEARLY)
    lacking = st.builds(
        lambda item, gone: {key: item[key] for key in item if key != gone}, good, st.sampled_from(WANTED)
    )
    return good | good | good | changed | lacking


WANTED = [
    "type",
    "role",
    "content",
    "id",
    "name",
    "call_id",
    "arguments",
    "input",
    "output",
    "tools",
    "schema",
]
FUNCTION = {"type": "function", "name": "f", "parameters": {"type": "object"}, "strict": False}
CALL = {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": "{}"}
OUTPUT = {"type": "function_call_output", "call_id": "call_1", "output": "x"}
CUSTOM = {"type": "custom_tool_call", "call_id": "call_2", "name": "g", "input": "x"}
REASONING = {"type": "reasoning", "id": f"rs_{'0' * 26}_0", "summary": []}
SUMMARY = [{"type": "summary_text", "text": "hm"}]
TEXT = st.text(max_size=5)
ITEM = nearly(
    {"role": "user", "content": "Hi"},
    {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "Hi"}]},
    {
        "type": "message",
        "role": "assistant",
        "content": [{"type": "output_text", "text": "Hi"}],
        "id": "msg_1",
    },
    {"role": "assistant", "content": [{"type": "refusal", "refusal": "No"}], "phase": "commentary"},
    REASONING,
    {**REASONING, "summary": SUMMARY},
    {**REASONING, "encrypted_content": to_encrypted_content("hm")},
    {**REASONING, "content": [{"type": "reasoning_text", "text": "hm"}]},
    CALL,
    {**CALL, "arguments": '{"a":1}', "namespace": "n"},
    {**CALL, "arguments": '{"a":' * 300},
    {**CALL, "arguments": "[1e999]"},
    CUSTOM,
    {**OUTPUT, "name": "f"},
    {**OUTPUT, "type": "custom_tool_call_output", "call_id": None, "name": "g"},
    {**OUTPUT, "name": "f", "output": [{"type": "input_text", "text": "x"}]},
    {"type": "item_reference", "id": f"msg_{'0' * 32}_0"},
    {"type": "compaction", "encrypted_content": to_encrypted_content("hm")},
    {"type": "web_search_call", "id": "ws_1"},
)
TOOL = nearly(
    FUNCTION,
    {**FUNCTION, "name": "none"},
    {**FUNCTION, "name": "h", "parameters": {"properties": {"a": {"$ref": "#"}}}},
    {"type": "custom", "name": "g"},
    {"type": "custom", "name": "i", "format": {"type": "grammar", "syntax": "lark", "definition": "x"}},
    {"type": "namespace", "name": "n", "tools": [FUNCTION]},
    {"type": "web_search"},
)
CHOICE = st.sampled_from(["auto", "none", "required"]) | nearly(
    {"type": "function", "name": "f"},
    {"type": "custom", "name": "g"},
    {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "f"}]},
)
FORMAT = nearly(
    {"type": "text"},
    {"type": "json_object"},
    {"type": "json_schema", "name": "s", "schema": {"type": "object"}},
    {"type": "json_schema", "name": "s", "schema": {"$ref": "#/nowhere"}, "strict": True},
)
KNOWN: dict[str, SearchStrategy[Any]] = {
    "input": TEXT | st.lists(ITEM, max_size=4),
    "tools": st.lists(TOOL, max_size=2),
    "tool_choice": CHOICE,
    "text": st.builds(lambda form: {"format": form, "verbosity": "low"}, FORMAT),
    "reasoning": nearly({"effort": "low", "summary": "auto"}, {"effort": "none"}),
    "include": st.lists(WORDS, max_size=2),
    "instructions": TEXT,
    "metadata": st.dictionaries(TEXT, TEXT, max_size=2),
    "previous_response_id": TEXT | st.sampled_from(["resp_1", f"resp_{'0' * 26}", "\x00"]),
    "conversation": TEXT | nearly({"id": "conv_1"}, {"id": ""}),
    "store": st.booleans(),
    "background": st.just(False),
    "stream": st.booleans(),
    "max_output_tokens": st.integers(1),
    "top_logprobs": st.integers(0, 20),
    "truncation": st.sampled_from(["auto", "disabled"]),
}
BODIES = st.builds(
    lambda known, others: {**MINIMAL, **others, **known},
    st.fixed_dictionaries({}, optional=KNOWN),
    st.just({}) | st.dictionaries(st.sampled_from(sorted(ResponsesRequest.model_fields)), NEARLY, max_size=1),
)
POSTED = st.sampled_from([URL, f"{URL}/input_tokens", f"{URL}/compact"])


class Asked:
    "One app for all, with a log."

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._context = proxied(Greeting())
        self._proxy = self._loop.run_until_complete(self._context.__aenter__())

    def status(self, method: str, path: str, body: bytes = b"", **params: Any) -> int:
        answer = self._loop.run_until_complete(
            self._proxy.client.request(method, path, content=body, params=params)
        )
        if answer.status_code != 200:
            assert answer.json()["error"].keys() == {"message", "type", "param", "code"}
            assert len(answer.content) < 2000
            # This engine never calls a tool, not even one that it has to call.
            assert answer.status_code < 500 or answer.json()["error"]["code"] == "bad_answer"
        elif answer.text.startswith('{"id":"resp_') and '"object":"response"' in answer.text:
            Response.model_validate(answer.json())
        return answer.status_code

    def close(self) -> None:
        self._loop.run_until_complete(self._context.__aexit__(None, None, None))
        self._loop.close()


@pytest.fixture
def asked() -> Iterator[Asked]:
    asked = Asked()
    yield asked
    asked.close()


one_app_for_all = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)


@one_app_for_all
@given(POSTED, st.binary(max_size=40) | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_body(asked: Asked, path: str, body: bytes) -> None:
    assert asked.status("POST", path, body) == 400


@one_app_for_all
@given(POSTED, BODIES)
def test_any_request(asked: Asked, path: str, body: dict[str, Any]) -> None:
    assert asked.status("POST", path, json.dumps(body).encode()) in (200, 400, 404, 502)


@one_app_for_all
@given(st.lists(ITEM, max_size=5))
def test_any_items(asked: Asked, items: list[Any]) -> None:
    assert asked.status("POST", URL, json.dumps({**MINIMAL, "input": items}).encode()) in (200, 400, 404)


IDS = st.text(min_size=1, max_size=12).filter(lambda id: id.strip("./")) | st.sampled_from(
    [f"resp_{'0' * 26}", "resp_", "chatcmpl-1", "*", "resp_\x00", "../x"]
)
BELOW = st.sampled_from(
    [
        ("GET", ""),
        ("DELETE", ""),
        ("POST", "/cancel"),
        ("GET", "/input_items"),
        ("POST", ""),
        ("PUT", "/cancel"),
    ]
)
PARAMETERS = st.fixed_dictionaries(
    {},
    optional={
        "stream": TEXT | st.sampled_from(["true", "0"]),
        "starting_after": TEXT | st.integers().map(str),
        "include": WORDS,
        "include[]": WORDS,
        "after": TEXT | IDS,
        "limit": TEXT | st.integers(-2, 200).map(str),
        "order": TEXT | st.sampled_from(["asc", "desc"]),
        "beta": TEXT,
    },
)


@one_app_for_all
@given(BELOW, IDS, PARAMETERS, st.binary(max_size=5))
def test_any_id(asked: Asked, below: tuple[str, str], id: str, params: dict[str, str], body: bytes) -> None:
    method, path = below
    assert asked.status(method, f"{URL}/{quote(id, safe='')}{path}", body, **params) in (400, 404, 405)


@one_app_for_all
@given(st.sampled_from(["", "/input_items"]), PARAMETERS)
def test_any_parameters(asked: Asked, path: str, params: dict[str, str]) -> None:
    made = asked._loop.run_until_complete(asked._proxy.post(URL, MINIMAL)).json()
    assert asked.status("GET", f"{URL}/{made['id']}{path}", **params) in (200, 400)
