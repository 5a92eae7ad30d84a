"""Tools and their choice, as OpenAI's SDK types them (`types/chat/chat_completion_tool_union_param.py`)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import llm
from pydantic import ConfigDict, Field

from ...http.body_model import Body
from ...items.tools import FREE_TEXT, Choice, Grammar, Mode, TextFormat, offered_tools

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


class GrammarFormat(Body):
    type: Literal["grammar"]
    grammar: Grammar


class Custom(Body):
    name: Name
    description: str | None = None
    format: Annotated[TextFormat | GrammarFormat, Field(discriminator="type")] | None = None

    @property
    def told(self) -> str | None:
        if isinstance(self.format, GrammarFormat):
            return self.format.grammar.told(self.description)
        return self.description


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


ToolChoice = Mode | Annotated[NamedFunction | NamedCustom | AllowedTools, Field(discriminator="type")]


def select_tools(tools: list[llm.Tool], choice: ToolChoice | None) -> tuple[list[llm.Tool], str | None]:
    """The tools that are on offer, and the choice among them as the plugin's option has it.

    Raises ApiError where what has to be called is not there.
    """
    return offered_tools(tools, _meant(choice))


def _meant(choice: ToolChoice | None) -> Choice:
    match choice:
        case AllowedTools(allowed_tools=allowed):
            return Choice(allowed.mode, among={tool.name for tool in allowed.tools})
        case NamedFunction(name=name) | NamedCustom(name=name):
            return Choice(name=name)
        case _:
            return Choice(choice)
