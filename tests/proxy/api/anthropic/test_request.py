from __future__ import annotations

import json
from typing import Any, get_type_hints

import llm
import pytest
from anthropic.types.beta.message_create_params import (
    MessageCreateParamsNonStreaming,
    MessageCreateParamsStreaming,
)
from llm.parts import Message, TextPart

from llm_gpt_oss.options import GptOssOptions
from proxy.api.anthropic.fields import FIELDS
from proxy.api.anthropic.request import MessagesRequest
from proxy.http.errors import ApiError
from proxy.http.request_body import parse_body

# The SDK sends these as headers.
HEADERS = {"betas", "user_profile_id", "workspace_id"}
# The API has them, but not the SDK any more.
OLDER = {"output_format", "temperature", "top_k", "top_p"}
WEATHER = {"name": "get_weather", "description": "Weather", "input_schema": {"type": "object"}}
ANSWER = {"type": "object", "properties": {"name": {"type": "string"}}}


def parse(**fields: Any) -> MessagesRequest:
    body = {"model": "gpt-oss", "messages": [{"role": "user", "content": "Hi"}], **fields}
    return parse_body(json.dumps(body).encode(), MessagesRequest).model


def test_every_field_of_the_sdk_is_covered() -> None:
    sdk = {
        *get_type_hints(MessageCreateParamsNonStreaming),
        *get_type_hints(MessageCreateParamsStreaming),
    }
    assert FIELDS.keys() == (sdk - HEADERS) | OLDER


def test_every_field_that_is_read_is_covered() -> None:
    read = {name for name, field in FIELDS.items() if field.decision == "honoured"}
    assert MessagesRequest.model_fields.keys() == read


OPTIONS: list[Any] = [
    pytest.param({}, {}, id="nothing"),
    pytest.param({"max_tokens": 7}, {"max_tokens": 7}, id="max_tokens"),
    pytest.param({"max_tokens": 7.0, "top_k": 5.0}, {"max_tokens": 7, "top_k": 5}, id="whole numbers"),
    pytest.param({"top_k": -1}, {"top_k": 0}, id="unlimited top_k"),
    pytest.param({"max_tokens": 0}, {"max_tokens": 1}, id="only the cache"),
    pytest.param({"max_tokens": 2**40}, {"max_tokens": 2**31 - 1}, id="many tokens"),
    pytest.param({"stop_sequences": ["a", "b"]}, {"stop": ["a", "b"]}, id="stop"),
    pytest.param({"stop_sequences": [""]}, {}, id="empty stop"),
    pytest.param({"stop_sequences": []}, {}, id="no stop"),
    pytest.param(
        {"temperature": 1, "top_p": 0.5, "top_k": 5},
        {"temperature": 1, "top_p": 0.5, "top_k": 5},
        id="sampling",
    ),
    pytest.param({"thinking": {"type": "adaptive"}}, {}, id="adaptive"),
    pytest.param({"thinking": {"type": "between_tools"}}, {}, id="between tools"),
    pytest.param({"thinking": {"type": "disabled"}}, {"reasoning_effort": "none"}, id="disabled"),
    pytest.param(
        {"thinking": {"type": "enabled", "budget_tokens": 1024}}, {"reasoning_tokens": 1024}, id="budget"
    ),
    pytest.param({"thinking": {"type": "enabled"}}, {}, id="no budget"),
    pytest.param({"output_config": {"effort": "high"}}, {"reasoning_effort": "high"}, id="effort"),
    pytest.param(
        {"thinking": {"type": "adaptive"}, "output_config": {"effort": "max"}},
        {"reasoning_effort": "max"},
        id="thinking with an effort",
    ),
    pytest.param(
        {"thinking": {"type": "disabled"}, "output_config": {"effort": "max"}},
        {"reasoning_effort": "none"},
        id="no thinking with an effort",
    ),
    pytest.param({"tool_choice": {"type": "auto"}}, {"tool_choice": "auto"}, id="auto"),
    pytest.param({"tool_choice": {"type": "none"}}, {"tool_choice": "none"}, id="none"),
    pytest.param({"tool_choice": {"type": "any"}, "tools": [WEATHER]}, {"tool_choice": "required"}, id="any"),
    pytest.param(
        {"tool_choice": {"type": "tool", "name": "get_weather"}, "tools": [WEATHER]},
        {"tool_choice": "get_weather"},
        id="tool",
    ),
    pytest.param(
        {"tool_choice": {"type": "auto", "disable_parallel_tool_use": True}},
        {"tool_choice": "auto", "parallel_tool_calls": False},
        id="one call",
    ),
    pytest.param(
        {"tool_choice": {"type": "auto", "disable_parallel_tool_use": False}},
        {"tool_choice": "auto"},
        id="several calls",
    ),
    pytest.param(
        {
            "cache_control": {"type": "ephemeral"},
            "context_management": {"edits": []},
            "mcp_servers": [],
            "metadata": {"user_id": "me"},
            "service_tier": "auto",
            "speed": "fast",
        },
        {},
        id="without effect",
    ),
]


@pytest.mark.parametrize(("fields", "options"), OPTIONS)
def test_options(fields: dict[str, Any], options: dict[str, Any]) -> None:
    generation = parse(**fields).generation_request()
    assert generation.options == options
    GptOssOptions(**generation.options)


@pytest.mark.parametrize(
    ("thinking", "effort"),
    [
        pytest.param(None, "low", id="missing"),
        pytest.param({"type": "adaptive"}, None, id="adaptive"),
        pytest.param({"type": "disabled"}, None, id="disabled"),
    ],
)
def test_default_effort(thinking: Any, effort: str | None) -> None:
    assert parse(thinking=thinking).generation_request().default_effort == effort


def test_generation() -> None:
    generation = parse(system="Be brief.", stream=True, tools=[WEATHER]).generation_request()
    assert (generation.endpoint, generation.model, generation.stream) == ("/v1/messages", "gpt-oss", True)
    system, user = generation.messages
    assert (system, user) == (
        Message("system", [TextPart("Be brief.")]),
        Message("user", [TextPart("Hi")]),
    )
    assert (generation.added, generation.message_of_entry) == (0, (1,))
    assert generation.tools == (llm.Tool("get_weather", "Weather", {"type": "object"}),)


@pytest.mark.parametrize(
    ("thinking", "display"),
    [
        pytest.param(None, "none", id="missing"),
        pytest.param({"type": "disabled"}, "none", id="disabled"),
        pytest.param({"type": "adaptive"}, "text", id="adaptive"),
        pytest.param({"type": "enabled", "budget_tokens": 1024}, "text", id="enabled"),
        pytest.param({"type": "adaptive", "display": "summarized"}, "text", id="summarized"),
        pytest.param({"type": "adaptive", "display": "omitted"}, "signature", id="omitted"),
        pytest.param({"type": "adaptive", "display": None}, "text", id="null"),
    ],
)
def test_thinking_display(thinking: Any, display: str) -> None:
    assert parse(thinking=thinking).thinking_display == display


FORMAT = {"type": "json_schema", "schema": ANSWER}


@pytest.mark.parametrize(
    ("fields", "schema"),
    [
        pytest.param({}, None, id="missing"),
        pytest.param({"output_config": {"format": None}}, None, id="null"),
        pytest.param({"output_config": {"format": FORMAT}}, ANSWER, id="output_config"),
        pytest.param({"output_format": FORMAT}, ANSWER, id="output_format"),
        pytest.param(
            {"output_config": {"format": FORMAT}, "output_format": {**FORMAT, "schema": {}}},
            ANSWER,
            id="both",
        ),
    ],
)
def test_schema(fields: dict[str, Any], schema: Any) -> None:
    assert parse(**fields).generation_request().schema == schema


@pytest.mark.parametrize(
    ("fields", "param", "code"),
    [
        pytest.param({"container": "x"}, "container", "unsupported_parameter", id="container"),
        pytest.param({"mcp_servers": [{}]}, "mcp_servers", "unsupported_parameter", id="MCP"),
        pytest.param({"thread": {"type": "create"}}, "thread", "unsupported_parameter", id="thread"),
        pytest.param({"compaction": {}}, "compaction", "unsupported_parameter", id="compaction"),
        pytest.param(
            {"output_format": {"type": "json_schema", "schema": {"type": "text"}}},
            "output_config.format.schema",
            "invalid_json_schema",
            id="schema",
        ),
        pytest.param(
            {"tools": [{"type": "web_search_20250305", "name": "web_search"}]},
            "tools",
            "unsupported_parameter",
            id="only tools of Anthropic",
        ),
        pytest.param(
            {"tools": [WEATHER, {**WEATHER, "description": "Other"}]},
            "tools",
            "invalid_value",
            id="same name",
        ),
        pytest.param({"tool_choice": {"type": "tool"}}, "tool_choice", "invalid_value", id="no name"),
        pytest.param(
            {"tool_choice": {"type": "tool", "name": "x"}, "tools": [WEATHER]},
            "tool_choice",
            "invalid_value",
            id="unknown tool",
        ),
    ],
)
def test_refused(fields: dict[str, Any], param: str, code: str) -> None:
    with pytest.raises(ApiError) as raised:
        parse(**fields).generation_request()
    assert (raised.value.status, raised.value.param, raised.value.code) == (400, param, code)


@pytest.mark.parametrize(
    "fields",
    [
        {"messages": []},
        {"messages": None},
        {"max_tokens": -1},
        {"temperature": 2.5},
        {"top_p": 2},
        {"stop_sequences": "a"},
        {"system": 1},
        {"system": [{"type": "image"}]},
        {"thinking": {"type": "some"}},
        {"thinking": {}},
        {"tool_choice": "auto"},
        {"tool_choice": {"type": "required"}},
        {"tools": [{"description": "no name"}]},
        {"tools": ["x"]},
        {"output_format": {"type": "text"}},
        {"output_config": {"effort": "some"}},
    ],
    ids=str,
)
def test_invalid_values(fields: dict[str, Any]) -> None:
    with pytest.raises(ApiError):
        parse(**fields)


PROVIDED: list[Any] = [
    {"type": "web_search_20250305", "name": "web_search", "max_uses": 5},
    {"type": "bash_20250124", "name": "bash"},
    {"type": "text_editor_20250728", "name": "str_replace_based_edit_tool"},
    {"type": "mcp_toolset", "mcp_server_name": "x"},
]


@pytest.mark.parametrize(
    ("fields", "unused"),
    [
        pytest.param({}, [], id="nothing"),
        pytest.param({"tools": [WEATHER], "tool_choice": {"type": "any"}}, [], id="a tool"),
        pytest.param({"tools": [PROVIDED[0], WEATHER, PROVIDED[1]]}, ["tools[0]", "tools[2]"], id="left out"),
        pytest.param({"tool_choice": {"type": "any"}}, ["tool_choice"], id="no tools"),
    ],
)
def test_unused_fields(fields: dict[str, Any], unused: list[str]) -> None:
    body = parse(**fields)
    assert [*body.unused_fields()] == unused
    body.generation_request()


@pytest.mark.parametrize("tool", PROVIDED, ids=lambda tool: str(tool["type"]))
def test_tools_that_anthropic_defines_are_not_offered(tool: dict[str, Any]) -> None:
    assert [each.name for each in parse(tools=[tool, WEATHER]).generation_request().tools] == ["get_weather"]


@pytest.mark.parametrize(
    "fields",
    [
        {"type": "custom"},
        {"type": None},
        {"cache_control": {"type": "ephemeral"}, "strict": True, "input_examples": [{}]},
    ],
    ids=str,
)
def test_tools_of_the_client(fields: dict[str, Any]) -> None:
    (tool,) = parse(tools=[{**WEATHER, **fields}]).generation_request().tools
    assert tool == llm.Tool("get_weather", "Weather", {"type": "object"})
