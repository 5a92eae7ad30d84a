"""Tools and their choice, as OpenAI's SDK types them (`types/responses/tool*_param.py`)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal, NamedTuple

import llm
from pydantic import Field

from ...http.body_model import Body, LenientBody
from ...http.errors import ApiError
from ...items.tools import FREE_TEXT, Choice, Grammar, Mode, TextFormat, not_to_choose, offered_tools

# No dots: a namespace and a name are told apart by the last one.
Name = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[a-zA-Z0-9_-]+$")]

Hosted = Literal[
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

    # Without effect: all tools are offered, and called directly.
    allowed_callers: Any = None
    async_: Any = Field(alias="async", default=None)
    defer_loading: Any = None


class FunctionTool(_Tool):
    "Arguments are held to `parameters` whether or not `strict` says so."

    type: Literal["function"]
    parameters: dict[str, Any] | None = None
    strict: bool | None = None
    output_schema: Any = None

    @property
    def told(self) -> str | None:
        return self.description

    @property
    def takes(self) -> dict[str, Any]:
        return self.parameters or {}


class GrammarFormat(Grammar):
    type: Literal["grammar"]


class CustomTool(_Tool):
    type: Literal["custom"]
    format: Annotated[TextFormat | GrammarFormat, Field(discriminator="type")] | None = None

    @property
    def told(self) -> str | None:
        if isinstance(self.format, GrammarFormat):
            return self.format.told(self.description)
        return self.description

    @property
    def takes(self) -> dict[str, Any]:
        return FREE_TEXT


Own = Annotated[FunctionTool | CustomTool, Field(discriminator="type")]


class NamespaceTool(Body):
    type: Literal["namespace"]
    name: Annotated[str, Field(min_length=1, max_length=128)]
    description: str | None = None
    tools: list[Own]


class HostedTool(LenientBody):
    "What OpenAI's servers run, or clients of their models: gpt-oss does not know how to call it."

    type: Hosted


AnyTool = Annotated[FunctionTool | CustomTool | NamespaceTool | HostedTool, Field(discriminator="type")]


class Tools(NamedTuple):
    "`custom` names those whose one argument is free text."

    tools: list[llm.Tool]
    custom: frozenset[str]


def tools_of(sent: Sequence[AnyTool]) -> Tools:
    """Those that can be called; those of a namespace as `namespace.name`.

    Raises ApiError where two have one name.
    """
    named = list(_named(sent))
    tools: dict[str, llm.Tool] = {}
    for name, tool, about in named:
        if name in tools:
            message = f"Tool names must be unique, but '{name}' is there twice."
            raise ApiError(400, message, code="invalid_value", param="tools")
        told = "\n\n".join(filter(None, (about, tool.told))) or None
        tools[name] = llm.Tool(name, told, tool.takes)
    return Tools([*tools.values()], frozenset(name for name, tool, _ in named if tool.type == "custom"))


def _named(sent: Sequence[AnyTool]) -> Iterator[tuple[str, FunctionTool | CustomTool, str | None]]:
    "With what is told about its namespace before the first tool in it."
    for each in sent:
        match each:
            case NamespaceTool(name=space, tools=tools, description=about):
                for n, tool in enumerate(tools):
                    yield f"{space}.{tool.name}", tool, None if n else about
            case FunctionTool() | CustomTool():
                yield each.name, each, None


class Named(LenientBody):
    "A tool that is meant: only its name counts, though some clients send all of it."

    type: Literal["function", "custom"]
    name: str
    namespace: str | None = None


class NamedSpace(LenientBody):
    type: Literal["namespace"]
    name: str


class NamedHosted(LenientBody):
    type: Hosted


class AllowedTools(Body):
    type: Literal["allowed_tools"]
    mode: Literal["auto", "required"]
    tools: list[Annotated[Named | NamedSpace | NamedHosted, Field(discriminator="type")]]


ToolChoice = Mode | Annotated[Named | NamedHosted | AllowedTools, Field(discriminator="type")]


def select_tools(tools: list[llm.Tool], choice: ToolChoice | None) -> tuple[list[llm.Tool], str | None]:
    """The tools that are on offer, and the choice among them as the plugin's option has it.

    Raises ApiError where what has to be called is not there.
    """
    return offered_tools(tools, _meant([tool.name for tool in tools], choice))


def _meant(names: Sequence[str], choice: ToolChoice | None) -> Choice:
    match choice:
        case AllowedTools(mode=mode, tools=allowed):
            return Choice(mode, among={name for each in allowed for name in _allowed(names, each)})
        case Named():
            return Choice(name=_full(names, choice))
        case NamedHosted(type=kind):
            raise not_to_choose(f"The tool choice names '{kind}', which there is none of here.")
        case _:
            return Choice(choice)


def _allowed(names: Sequence[str], allowed: Named | NamedSpace | NamedHosted) -> list[str]:
    match allowed:
        case Named():
            return [_full(names, allowed)]
        case NamedSpace(name=space):
            inside = [name for name in names if name.rpartition(".")[0] == space]
            # A name that no tool has is told to whoever sent it.
            return inside or [space]
        case _:
            return []


def _full(names: Sequence[str], meant: Named) -> str:
    "With its namespace, which may be left out where only one has a tool of that name."
    if meant.namespace:
        return f"{meant.namespace}.{meant.name}"
    spaced = [name for name in names if name.rpartition(".")[2] == meant.name]
    return spaced[0] if len(spaced) == 1 else meant.name
