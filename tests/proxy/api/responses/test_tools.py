"Tools and tool choices."

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

import llm
import pytest
from openai.types.responses import ToolParam
from openai.types.responses.response_create_params import ToolChoice as SDKToolChoice
from pydantic import TypeAdapter, ValidationError
from typing_extensions import get_type_hints  # typing's own leaves Required[] around a type on 3.10

from proxy.api.responses.tools import (
    AnyTool,
    CallableTools,
    HostedToolType,
    ToolChoice,
    callable_tools,
    select_tools,
)
from proxy.http.errors import ApiError
from proxy.items.tools import FREE_TEXT

TOOLS: TypeAdapter[list[Any]] = TypeAdapter(list[AnyTool])
CHOICE: TypeAdapter[Any] = TypeAdapter(ToolChoice)
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}}
ADD = {"type": "function", "name": "add"}
PATCH = {"type": "custom", "name": "patch"}


def parse(*tools: Any) -> CallableTools:
    return callable_tools(TOOLS.validate_python(list(tools), strict=True))


def literals(hint: Any) -> Iterator[str]:
    for arg in get_args(hint):
        if isinstance(arg, str):
            yield arg
        else:
            yield from literals(arg)


def sdk_types(union: Any) -> set[str]:
    "The types of a union of the SDK. Its literals are modes."
    classes = [tool for tool in get_args(union) if hasattr(tool, "__annotations__")]
    return {tool_type for tool in classes for tool_type in literals(get_type_hints(tool)["type"])}


# Tools


def test_every_type_of_the_sdk_is_covered() -> None:
    assert sdk_types(ToolParam) == {"function", "custom", "namespace", *get_args(HostedToolType)} - {
        "computer_use"
    }


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
        pytest.param(
            {"defer_loading": True, "async": True, "allowed_callers": ["direct"], "output_schema": {}},
            llm.Tool("add", None, {}),
            id="without effect",
        ),
    ],
)
def test_functions(fields: dict[str, Any], expected: llm.Tool) -> None:
    assert parse({**ADD, **fields}) == ([expected], frozenset())


RULE = "The input follows this lark grammar:\nstart: /x/"
GRAMMAR = {"type": "grammar", "syntax": "lark", "definition": "start: /x/"}


@pytest.mark.parametrize(
    ("fields", "description"),
    [
        pytest.param({}, None, id="name only"),
        pytest.param({"description": "Patches", "format": {"type": "text"}}, "Patches", id="text"),
        pytest.param({"format": GRAMMAR}, RULE, id="grammar"),
        pytest.param({"description": "Patches", "format": GRAMMAR}, f"Patches\n{RULE}", id="both"),
    ],
)
def test_custom_tools(fields: dict[str, Any], description: str | None) -> None:
    assert parse({**PATCH, **fields}) == ([llm.Tool("patch", description, FREE_TEXT)], {"patch"})


def space(*tools: Any, **more: Any) -> dict[str, Any]:
    return {"type": "namespace", "name": "crm.v2", "description": "Customers.", "tools": [*tools], **more}


def test_namespaces() -> None:
    assert parse(ADD, space({**ADD, "description": "Adds"}, PATCH)) == (
        [
            llm.Tool("add", None, {}),
            llm.Tool("crm.v2.add", "Customers.\n\nAdds", {}),
            llm.Tool("crm.v2.patch", None, FREE_TEXT),
        ],
        {"crm.v2.patch"},
    )


def test_description_of_a_namespace() -> None:
    assert parse(space(ADD)).tools == [llm.Tool("crm.v2.add", "Customers.", {})]
    assert parse(space(ADD, description=None)).tools == [llm.Tool("crm.v2.add", None, {})]
    assert parse(space()).tools == []


def test_repeated_tools_are_offered_once() -> None:
    assert parse(ADD, space(ADD), PATCH, ADD, space(ADD), PATCH) == parse(ADD, space(ADD), PATCH)


@pytest.mark.parametrize("tool_type", get_args(HostedToolType))
def test_hosted_tools_are_not_offered(tool_type: str) -> None:
    assert parse({"type": tool_type, "server_label": "x"}, ADD).tools == [llm.Tool("add", None, {})]


@pytest.mark.parametrize(
    "tools",
    [
        pytest.param([ADD, {**PATCH, "name": "add"}], id="types"),
        pytest.param([ADD, {**ADD, "description": "Adds"}], id="descriptions"),
        pytest.param([space(ADD), space(PATCH), space({**ADD, "parameters": SCHEMA})], id="namespaces"),
    ],
)
def test_different_tools_with_one_name(tools: list[Any]) -> None:
    with pytest.raises(ApiError, match=r"two different tools with the name '.*add'") as caught:
        parse(*tools)
    assert (caught.value.status, caught.value.param) == (400, "tools")


@pytest.mark.parametrize(
    "tools",
    [
        pytest.param({"type": "telepathy"}, id="type"),
        pytest.param({"name": "add"}, id="no type"),
        pytest.param({"type": "function"}, id="no name"),
        pytest.param({"type": "function", "function": {"name": "add"}}, id="as chat has it"),
        pytest.param({**ADD, "name": ""}, id="empty name"),
        pytest.param({**ADD, "name": "x" * 129}, id="long name"),
        pytest.param({**ADD, "name": "a.b"}, id="a dot"),
        pytest.param({**ADD, "parameters": "{}"}, id="parameters"),
        pytest.param({**PATCH, "format": {"type": "ebnf"}}, id="format"),
        pytest.param({**PATCH, "format": {"type": "grammar", "syntax": "lark"}}, id="grammar"),
        pytest.param(space({"type": "web_search"}), id="a hosted tool in a namespace"),
        pytest.param(space(name=""), id="empty namespace"),
    ],
)
def test_invalid_tools(tools: Any) -> None:
    with pytest.raises(ValidationError):
        parse(tools)


# Their choice

OFFERED = parse(ADD, PATCH, {**ADD, "name": "auto"}, space(ADD, {**ADD, "name": "find"})).tools
BY_NAME = {tool.name: tool for tool in OFFERED}


def choose(choice: Any, tools: list[llm.Tool] = OFFERED) -> tuple[list[llm.Tool], str | None]:
    return select_tools(tools, None if choice is None else CHOICE.validate_python(choice, strict=True))


def allowed(mode: str, *tools: dict[str, Any]) -> dict[str, Any]:
    return {"type": "allowed_tools", "mode": mode, "tools": list(tools)}


def named(name: str, tool_type: str = "function", **more: Any) -> dict[str, Any]:
    return {"type": tool_type, "name": name, **more}


def test_every_choice_of_the_sdk_is_covered() -> None:
    assert sdk_types(SDKToolChoice) <= {"function", "custom", "allowed_tools", *get_args(HostedToolType)}


@pytest.mark.parametrize(
    ("choice", "names", "option"),
    [
        pytest.param(None, [*BY_NAME], None, id="null"),
        pytest.param("none", [*BY_NAME], "none", id="none"),
        pytest.param("auto", [*BY_NAME], "auto", id="auto"),
        pytest.param("required", [*BY_NAME], "required", id="required"),
        pytest.param(named("add"), [*BY_NAME], "add", id="function"),
        pytest.param(named("patch", "custom"), [*BY_NAME], "patch", id="custom"),
        pytest.param(named("auto"), ["auto"], "required", id="a name that is a mode"),
        pytest.param(named("add", namespace="crm.v2"), [*BY_NAME], "crm.v2.add", id="namespace"),
        pytest.param(named("find"), [*BY_NAME], "crm.v2.find", id="the only one of that name"),
        pytest.param(named("crm.v2.find"), [*BY_NAME], "crm.v2.find", id="the name with its namespace"),
        pytest.param(allowed("auto", named("patch", "custom"), ADD), ["add", "patch"], "auto", id="allowed"),
        pytest.param(allowed("required", ADD), ["add"], "required", id="allowed and required"),
        pytest.param(allowed("auto", {**ADD, "parameters": {}}), ["add"], "auto", id="allowed, sent whole"),
        pytest.param(
            allowed("auto", named("crm.v2", "namespace")),
            ["crm.v2.add", "crm.v2.find"],
            "auto",
            id="all of one",
        ),
        pytest.param(
            allowed("auto", {"type": "web_search"}, ADD), ["add"], "auto", id="hosted beside others"
        ),
        pytest.param(allowed("auto", {"type": "mcp", "server_label": "x"}), [], "auto", id="hosted alone"),
    ],
)
def test_tool_choice(choice: Any, names: list[str], option: str | None) -> None:
    assert choose(choice) == ([BY_NAME[name] for name in names], option)


@pytest.mark.parametrize(
    ("choice", "description"),
    [
        pytest.param(named("subtract"), "'subtract'", id="a name that none has"),
        pytest.param(named("subtract", "custom"), "'subtract'", id="a custom one"),
        pytest.param(named("patch", namespace="crm.v2"), "'crm.v2.patch'", id="in a namespace"),
        pytest.param(allowed("auto", ADD, named("subtract")), "'subtract'", id="an allowed one"),
        pytest.param(allowed("auto", named("erp", "namespace")), "'erp'", id="a namespace that is none"),
        pytest.param(allowed("required"), "no tools", id="required, of none allowed"),
        pytest.param(allowed("required", {"type": "web_search"}), "no tools", id="required, of hosted ones"),
        *(
            pytest.param({"type": tool_type}, f"'{tool_type}'", id=tool_type)
            for tool_type in get_args(HostedToolType)
        ),
        pytest.param({"type": "mcp", "server_label": "x", "name": "add"}, "'mcp'", id="a tool of a server"),
    ],
)
def test_impossible_tool_choice(choice: Any, description: str) -> None:
    with pytest.raises(ApiError) as caught:
        choose(choice)
    assert (caught.value.status, caught.value.param) == (400, "tool_choice")
    assert description in caught.value.message


def test_ambiguous_names() -> None:
    tools = parse(space(ADD), space(ADD, name="erp")).tools
    with pytest.raises(ApiError, match="'add'"):
        choose(named("add"), tools)


@pytest.mark.parametrize(
    "choice",
    ["any", 1, {"type": "function"}, {"type": "any"}, allowed("none"), {"type": "namespace", "name": "x"}],
)
def test_invalid_tool_choice(choice: Any) -> None:
    with pytest.raises(ValidationError):
        CHOICE.validate_python(choice, strict=True)
