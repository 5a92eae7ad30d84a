"""Tools and tool choices, typed as in OpenAI's SDK (`types/chat/chat_completion_tool_union_param.py`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import llm
from pydantic import Field

from ...http.body_model import Body, LenientBody
from ...items.tools import FREE_TEXT, Grammar, ResolvedChoice, TextFormat, ToolChoiceMode, apply_choice

Name = Annotated[str, Field(min_length=1, max_length=128)]


class Function(Body):
    "Arguments are always validated against `parameters`, whatever `strict` says."

    name: Name
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class FunctionTool(Body):
    type: Literal["function"]
    function: Function

    def to_tool(self) -> llm.Tool:
        return llm.Tool(self.function.name, self.function.description, self.function.parameters or {})


def has_functions(tools: Sequence[object] | None, functions: Sequence[object] | None) -> bool:
    "Whether a request offers its tools as `functions`, as OpenAI's API did before it had `tools`."
    return bool(functions) and not tools


class GrammarFormat(Body):
    type: Literal["grammar"]
    grammar: Grammar


class Custom(Body):
    name: Name
    description: str | None = None
    format: Annotated[TextFormat | GrammarFormat, Field(discriminator="type")] | None = None

    @property
    def model_description(self) -> str | None:
        "The description that the model reads."
        if isinstance(self.format, GrammarFormat):
            return self.format.grammar.model_description(self.description)
        return self.description


class CustomTool(Body):
    type: Literal["custom"]
    custom: Custom

    def to_tool(self) -> llm.Tool:
        return llm.Tool(self.custom.name, self.custom.model_description, FREE_TEXT)


AnyTool = Annotated[FunctionTool | CustomTool, Field(discriminator="type")]


class ToolName(LenientBody):
    "A reference to a tool. Some clients send the whole tool; everything but its name is ignored."

    name: str


class FunctionChoice(Body):
    type: Literal["function"]
    function: ToolName

    @property
    def name(self) -> str:
        return self.function.name


class CustomChoice(Body):
    type: Literal["custom"]
    custom: ToolName

    @property
    def name(self) -> str:
        return self.custom.name


class AllowedTools(Body):
    mode: Literal["auto", "required"]
    tools: list[Annotated[FunctionChoice | CustomChoice, Field(discriminator="type")]]


class AllowedToolsChoice(Body):
    type: Literal["allowed_tools"]
    allowed_tools: AllowedTools


ToolChoice = (
    ToolChoiceMode
    | Annotated[FunctionChoice | CustomChoice | AllowedToolsChoice, Field(discriminator="type")]
)


def select_tools(tools: list[llm.Tool], choice: ToolChoice | None) -> tuple[list[llm.Tool], str | None]:
    """The tools to offer the model, and the plugin's `tool_choice` option.

    Raises ApiError if the choice names a tool that is not among `tools`.
    """
    return apply_choice(tools, _resolve_choice(choice))


def _resolve_choice(choice: ToolChoice | None) -> ResolvedChoice:
    match choice:
        case AllowedToolsChoice(allowed_tools=allowed):
            return ResolvedChoice(allowed.mode, allowed={tool.name for tool in allowed.tools})
        case FunctionChoice(name=name) | CustomChoice(name=name):
            return ResolvedChoice(name=name)
        case _:
            return ResolvedChoice(choice)
