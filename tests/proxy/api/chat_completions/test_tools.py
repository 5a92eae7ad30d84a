"Tools and tool choices."

from __future__ import annotations

from typing import Any

import llm
import pytest
from pydantic import TypeAdapter, ValidationError

from proxy.api.chat_completions.tools import FREE_TEXT, AnyTool, ToolChoice, select_tools
from proxy.http.errors import ApiError

TOOL: TypeAdapter[Any] = TypeAdapter(AnyTool)
CHOICE: TypeAdapter[Any] = TypeAdapter(ToolChoice)
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}}


def tool(tool_type: str = "function", **fields: Any) -> llm.Tool:
    built: llm.Tool = TOOL.validate_python(
        {"type": tool_type, tool_type: {"name": "add", **fields}}, strict=True
    ).to_tool()
    return built


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        pytest.param({}, llm.Tool("add", None, {}), id="name only"),
        pytest.param(
            {"description": None, "parameters": None, "strict": None}, llm.Tool("add", None, {}), id="nulls"
        ),
        pytest.param(
            {"description": "Adds", "parameters": SCHEMA, "strict": True},
            llm.Tool("add", "Adds", SCHEMA),
            id="all",
        ),
        pytest.param({"strict": False}, llm.Tool("add", None, {}), id="not strict"),
    ],
)
def test_functions(fields: dict[str, Any], expected: llm.Tool) -> None:
    assert tool(**fields) == expected


GRAMMAR = {"type": "grammar", "grammar": {"syntax": "lark", "definition": "start: /x/"}}
RULE = "The input follows this lark grammar:\nstart: /x/"


@pytest.mark.parametrize(
    ("fields", "description"),
    [
        pytest.param({}, None, id="name only"),
        pytest.param({"description": "Adds"}, "Adds", id="description"),
        pytest.param({"description": "Adds", "format": None}, "Adds", id="format is null"),
        pytest.param({"description": "Adds", "format": {"type": "text"}}, "Adds", id="text"),
        pytest.param({"format": GRAMMAR}, RULE, id="grammar"),
        pytest.param({"description": "Adds", "format": GRAMMAR}, f"Adds\n{RULE}", id="both"),
    ],
)
def test_custom_tools(fields: dict[str, Any], description: str | None) -> None:
    assert tool("custom", **fields) == llm.Tool("add", description, FREE_TEXT)


@pytest.mark.parametrize(
    "tool_json",
    [
        pytest.param({"type": "web_search"}, id="type"),
        pytest.param({"type": "function"}, id="no function"),
        pytest.param({"type": "function", "function": {"name": ""}}, id="empty name"),
        pytest.param({"type": "function", "function": {"name": "x" * 129}}, id="long name"),
        pytest.param({"type": "function", "function": {"name": "add", "parameters": "{}"}}, id="parameters"),
        pytest.param({"type": "custom", "custom": {"name": "add", "format": {"type": "ebnf"}}}, id="format"),
        pytest.param(
            {"type": "custom", "custom": {"name": "add", "format": {"type": "grammar", "grammar": "x"}}},
            id="grammar",
        ),
    ],
)
def test_invalid_tools(tool_json: Any) -> None:
    with pytest.raises(ValidationError):
        TOOL.validate_python(tool_json, strict=True)


ADD, PATCH, AUTO = (llm.Tool(name, None, {}) for name in ("add", "patch", "auto"))
TOOLS = [ADD, PATCH, AUTO]


def named(name: str, tool_type: str = "function", **more: Any) -> dict[str, Any]:
    return {"type": tool_type, tool_type: {"name": name, **more}}


def allowed(mode: str, *tools: dict[str, Any]) -> dict[str, Any]:
    return {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": list(tools)}}


def choose(choice: Any, tools: list[llm.Tool] = TOOLS) -> tuple[list[llm.Tool], str | None]:
    return select_tools(tools, None if choice is None else CHOICE.validate_python(choice, strict=True))


@pytest.mark.parametrize(
    ("choice", "offered", "option"),
    [
        pytest.param(None, TOOLS, None, id="null"),
        pytest.param("none", TOOLS, "none", id="none"),
        pytest.param("auto", TOOLS, "auto", id="auto"),
        pytest.param("required", TOOLS, "required", id="required"),
        pytest.param(named("add"), TOOLS, "add", id="function"),
        pytest.param(named("patch", "custom"), TOOLS, "patch", id="custom"),
        pytest.param(named("auto"), [AUTO], "required", id="a name that is a mode"),
        pytest.param(
            allowed("auto", named("patch", "custom"), named("add")), [ADD, PATCH], "auto", id="allowed"
        ),
        pytest.param(allowed("required", named("add")), [ADD], "required", id="allowed and required"),
        pytest.param(allowed("auto", named("add", parameters={})), [ADD], "auto", id="allowed, sent whole"),
    ],
)
def test_tool_choice(choice: Any, offered: list[llm.Tool], option: str | None) -> None:
    assert choose(choice) == (offered, option)


@pytest.mark.parametrize("choice", [None, "none", "auto"])
def test_tool_choice_without_tools(choice: str | None) -> None:
    assert choose(choice, []) == ([], choice)


@pytest.mark.parametrize(
    ("choice", "tools"),
    [
        pytest.param("required", [], id="required, of none"),
        pytest.param(named("subtract"), TOOLS, id="a name that none has"),
        pytest.param(named("subtract", "custom"), TOOLS, id="a custom one"),
        pytest.param(allowed("auto", named("add"), named("subtract")), TOOLS, id="an allowed one"),
        pytest.param(allowed("required"), TOOLS, id="required, of none allowed"),
    ],
)
def test_impossible_tool_choice(choice: Any, tools: list[llm.Tool]) -> None:
    with pytest.raises(ApiError) as caught:
        choose(choice, tools)
    assert (caught.value.status, caught.value.param) == (400, "tool_choice")


@pytest.mark.parametrize("choice", ["any", 1, {"type": "function"}, {"type": "any"}, allowed("none")])
def test_invalid_tool_choice(choice: Any) -> None:
    with pytest.raises(ValidationError):
        CHOICE.validate_python(choice, strict=True)
