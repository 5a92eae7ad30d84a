"""Tools and their choice, as OpenAI's SDK types them (`types/chat/chat_completion_tool_union_param.py`)."""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

import llm
from pydantic import ConfigDict, Field

from ..body import Body
from ..errors import ApiError
from ..tools import FREE_TEXT

Name = Annotated[str, Field(min_length=1, max_length=128)]


class Function(Body):
    "Arguments are held to `parameters` whether or not `strict` says so."

    name: Name
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class FunctionTool(Body):
    type: Literal["function"]
    function: Function

    def tool(self) -> llm.Tool:
        return llm.Tool(self.function.name, self.function.description, self.function.parameters or {})


class Grammar(Body):
    syntax: Literal["lark", "regex"]
    definition: str


class TextFormat(Body):
    type: Literal["text"]


class GrammarFormat(Body):
    type: Literal["grammar"]
    grammar: Grammar


class Custom(Body):
    name: Name
    description: str | None = None
    format: Annotated[TextFormat | GrammarFormat, Field(discriminator="type")] | None = None

    @property
    def told(self) -> str | None:
        "The description, with the grammar that the text has to follow: it is shown, not enforced."
        if not isinstance(self.format, GrammarFormat):
            return self.description
        grammar = self.format.grammar
        rule = f"The input follows this {grammar.syntax} grammar:\n{grammar.definition}"
        return f"{self.description}\n{rule}" if self.description else rule


class CustomTool(Body):
    type: Literal["custom"]
    custom: Custom

    def tool(self) -> llm.Tool:
        return llm.Tool(self.custom.name, self.custom.told, FREE_TEXT)


AnyTool = Annotated[FunctionTool | CustomTool, Field(discriminator="type")]


class Named(Body):
    "A tool that is meant: only its name counts, though some clients send all of it."

    model_config = ConfigDict(extra="ignore")
    name: str


class NamedFunction(Body):
    type: Literal["function"]
    function: Named

    @property
    def name(self) -> str:
        return self.function.name


class NamedCustom(Body):
    type: Literal["custom"]
    custom: Named

    @property
    def name(self) -> str:
        return self.custom.name


class Allowed(Body):
    mode: Literal["auto", "required"]
    tools: list[Annotated[NamedFunction | NamedCustom, Field(discriminator="type")]]


class AllowedTools(Body):
    type: Literal["allowed_tools"]
    allowed_tools: Allowed


Mode = Literal["none", "auto", "required"]
ToolChoice = Mode | Annotated[NamedFunction | NamedCustom | AllowedTools, Field(discriminator="type")]


def chosen(tools: list[llm.Tool], choice: ToolChoice | None) -> tuple[list[llm.Tool], str | None]:
    """The tools that are on offer, and the choice among them as the plugin's option has it.

    Raises ApiError where what has to be called is not there.
    """
    offered, how = _chosen(tools, choice)
    if how == "required" and not offered:
        raise _refused("The tool choice is 'required', but there are no tools.")
    return offered, how


def _chosen(tools: list[llm.Tool], choice: ToolChoice | None) -> tuple[list[llm.Tool], str | None]:
    match choice:
        case AllowedTools(allowed_tools=allowed):
            return _only({tool.name for tool in allowed.tools}, tools), allowed.mode
        case NamedFunction(name=name) | NamedCustom(name=name):
            only = _only({name}, tools)
            # The plugin's option has one word for a mode and for a name.
            return (only, "required") if name in get_args(Mode) else (tools, name)
        case _:
            return tools, choice


def _only(names: set[str], tools: list[llm.Tool]) -> list[llm.Tool]:
    if unknown := sorted(names - {tool.name for tool in tools}):
        raise _refused(f"The tool choice names '{unknown[0]}', which is not among the tools.")
    return [tool for tool in tools if tool.name in names]


def _refused(why: str) -> ApiError:
    return ApiError(400, why, code="invalid_value", param="tool_choice")
