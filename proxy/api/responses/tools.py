"""Tools and tool choices, typed as in OpenAI's SDK (`types/responses/tool*_param.py`)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated, Any, Literal, NamedTuple

import llm
from pydantic import Field

from ...http.body_model import Body, LenientBody
from ...items.tools import (
    FREE_TEXT,
    Grammar,
    ResolvedChoice,
    TextFormat,
    ToolChoiceMode,
    apply_choice,
    distinct_tools,
    tool_choice_error,
)

# Without dots: the last dot separates a namespace from the name of a tool.
Name = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[^.]+$")]

HostedToolType = Literal[
    "apply_patch",
    "code_interpreter",
    "computer",
    "computer_use",
    "computer_use_preview",
    "file_search",
    "image_generation",
    "local_shell",
    "mcp",
    "programmatic_tool_calling",
    "shell",
    "tool_search",
    "web_search",
    "web_search_2025_08_26",
    "web_search_preview",
    "web_search_preview_2025_03_11",
]


class _Tool(Body):
    name: Name
    description: str | None = None

    # Without effect: every tool is offered to the model, which calls it directly.
    allowed_callers: list[Literal["direct", "programmatic"]] | None = None
    async_: bool | None = Field(alias="async", default=None)
    defer_loading: bool | None = None


class FunctionTool(_Tool):
    "Arguments are always validated against `parameters`, whatever `strict` says."

    type: Literal["function"]
    parameters: dict[str, Any] | None = None
    strict: bool | None = None
    output_schema: dict[str, Any] | None = None

    @property
    def model_description(self) -> str | None:
        return self.description

    @property
    def input_schema(self) -> dict[str, Any]:
        return self.parameters or {}


class GrammarFormat(Grammar):
    type: Literal["grammar"]


class CustomTool(_Tool):
    type: Literal["custom"]
    format: Annotated[TextFormat | GrammarFormat, Field(discriminator="type")] | None = None

    @property
    def model_description(self) -> str | None:
        "The description that the model reads."
        if isinstance(self.format, GrammarFormat):
            return self.format.model_description(self.description)
        return self.description

    @property
    def input_schema(self) -> dict[str, Any]:
        return FREE_TEXT


CallableTool = Annotated[FunctionTool | CustomTool, Field(discriminator="type")]


class NamespaceTool(Body):
    type: Literal["namespace"]
    name: Annotated[str, Field(min_length=1, max_length=128)]
    description: str | None = None
    tools: list[CallableTool]


class HostedTool(LenientBody):
    "A tool that OpenAI's servers, or clients of their models, run. gpt-oss was not trained to call it."

    type: HostedToolType


AnyTool = Annotated[FunctionTool | CustomTool | NamespaceTool | HostedTool, Field(discriminator="type")]


class CallableTools(NamedTuple):
    "`custom_names` has the names of the custom tools, which take free text."

    tools: list[llm.Tool]
    custom_names: frozenset[str]


def callable_tools(tools: Sequence[AnyTool]) -> CallableTools:
    """The tools that the model can call. A tool of a namespace is called `namespace.name`.

    Raises ApiError if two different tools have the same name.
    """
    named = [
        (
            llm.Tool(
                name,
                "\n\n".join(filter(None, (of_namespace, tool.model_description))) or None,
                tool.input_schema,
            ),
            tool.type,
        )
        for name, tool, of_namespace in _flatten(tools)
    ]
    custom_names = frozenset(tool.name for tool, tool_type in named if tool_type == "custom")
    return CallableTools(distinct_tools(tool for tool, _ in named), custom_names)


def _flatten(tools: Sequence[AnyTool]) -> Iterator[tuple[str, FunctionTool | CustomTool, str | None]]:
    "Each callable tool with its full name. The first of a namespace comes with the namespace's description."
    for tool in tools:
        match tool:
            case NamespaceTool(name=namespace, tools=inner_tools, description=description):
                for n, inner in enumerate(inner_tools):
                    yield f"{namespace}.{inner.name}", inner, None if n else description
            case FunctionTool() | CustomTool():
                yield tool.name, tool, None


class ToolName(LenientBody):
    "A reference to a tool. Some clients send the whole tool; everything but its name is ignored."

    type: Literal["function", "custom"]
    name: str
    namespace: str | None = None


class NamespaceName(LenientBody):
    type: Literal["namespace"]
    name: str


class HostedToolName(LenientBody):
    type: HostedToolType


class AllowedTools(Body):
    type: Literal["allowed_tools"]
    mode: Literal["auto", "required"]
    tools: list[Annotated[ToolName | NamespaceName | HostedToolName, Field(discriminator="type")]]


ToolChoice = ToolChoiceMode | Annotated[ToolName | HostedToolName | AllowedTools, Field(discriminator="type")]


def select_tools(tools: list[llm.Tool], choice: ToolChoice | None) -> tuple[list[llm.Tool], str | None]:
    """The tools to offer the model, and the plugin's `tool_choice` option.

    Raises ApiError if the choice names a tool that is not among `tools`.
    """
    return apply_choice(tools, _resolve_choice(ToolNames([tool.name for tool in tools]), choice))


class ToolNames:
    "The full names of the tools on offer, found by the namespace and by the name in it."

    def __init__(self, names: Iterable[str]) -> None:
        self._of_namespace: dict[str, list[str]] = {}
        self._by_name: dict[str, list[str]] = {}
        for full_name in names:
            namespace, _, name = full_name.rpartition(".")
            self._of_namespace.setdefault(namespace, []).append(full_name)
            self._by_name.setdefault(name, []).append(full_name)

    def full_name(self, tool: ToolName) -> str:
        "The name with its namespace, which clients may omit if only one tool has that name."
        if tool.namespace:
            return f"{tool.namespace}.{tool.name}"
        matches = self._by_name.get(tool.name, [])
        return matches[0] if len(matches) == 1 else tool.name

    def allowed(self, allowed: ToolName | NamespaceName | HostedToolName) -> list[str]:
        "The full names of the tools that an entry of the allowed tools stands for."
        match allowed:
            case ToolName():
                return [self.full_name(allowed)]
            case NamespaceName(name=namespace):
                # The name of an unknown namespace matches no tool, so `apply_choice` reports it.
                return self._of_namespace.get(namespace) or [namespace]
            case _:
                return []


def _resolve_choice(names: ToolNames, choice: ToolChoice | None) -> ResolvedChoice:
    match choice:
        case AllowedTools(mode=mode, tools=allowed):
            allowed_names = {name for each in allowed for name in names.allowed(each)}
            return ResolvedChoice(mode, allowed=allowed_names)
        case ToolName():
            return ResolvedChoice(name=names.full_name(choice))
        case HostedToolName(type=tool_type):
            raise tool_choice_error(
                f"The tool choice is the hosted tool '{tool_type}', which this server does not have. "
                "Choose one of the functions or custom tools."
            )
        case _:
            return ResolvedChoice(choice)
