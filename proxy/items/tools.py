"""What the tools of both chat completions and responses have in common, and how a tool choice is applied."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar, get_args

import llm
from pydantic_core import from_json

from ..http.body_model import Body
from ..http.errors import ApiError

C = TypeVar("C")

# A custom tool takes free text. The model sees a function with one string parameter.
FREE_TEXT = {
    "type": "object",
    "properties": {"input": {"type": "string"}},
    "required": ["input"],
    "additionalProperties": False,
}


def custom_input(arguments: str) -> str:
    "The text that a model passes to a custom tool. Arguments of another shape are returned as they are."
    try:
        parsed = from_json(arguments)
    except ValueError:
        return arguments
    text = parsed.get("input") if isinstance(parsed, dict) else None
    return text if isinstance(text, str) else arguments


class TextFormat(Body):
    type: Literal["text"]


class Grammar(Body):
    syntax: Literal["lark", "regex"]
    definition: str

    def model_description(self, description: str | None) -> str:
        "A tool's description followed by this grammar. The grammar is not enforced."
        rule = f"The input follows this {self.syntax} grammar:\n{self.definition}"
        return f"{description}\n{rule}" if description else rule


def distinct_tools(tools: Iterable[llm.Tool], param: str = "tools") -> list[llm.Tool]:
    """The tools without repetitions. Raises ApiError if two tools that differ have the same name.

    `param` is the field of the request that has them.

    Clients that collect tools from several servers send some of them twice.
    """
    by_name: dict[str, llm.Tool] = {}
    for tool in tools:
        if by_name.setdefault(tool.name, tool) != tool:
            message = (
                f"Tool names must be unique, but there are two different tools with the name '{tool.name}'. "
                "Rename one of them."
            )
            raise ApiError(400, message, code="invalid_value", param=param)
    return [*by_name.values()]


ToolChoiceMode = Literal["none", "auto", "required"]


def effective_choice(choice: C, tools: Sequence[object] | None) -> C | None:
    "Return the tool choice of a request, or None for one that requires a call where there are no tools."
    return None if choice == "required" and not tools else choice


@dataclass(frozen=True, slots=True)
class ResolvedChoice:
    """A `tool_choice` in a form that both APIs share.

    It is a `mode`, or the `name` of the tool to call. `allowed` limits the tools on offer to those names.
    """

    mode: ToolChoiceMode | None = None
    name: str | None = None
    allowed: Collection[str] | None = None


def apply_choice(tools: Sequence[llm.Tool], choice: ResolvedChoice) -> tuple[list[llm.Tool], str | None]:
    """The tools to offer the model, and the plugin's `tool_choice` option.

    Raises ApiError if a tool must be called that is not among `tools`.
    """
    offered, option = _apply(tools, choice)
    if option == "required" and not offered:
        raise tool_choice_error("The tool choice is 'required', but there are no tools.")
    return offered, option


def _apply(tools: Sequence[llm.Tool], choice: ResolvedChoice) -> tuple[list[llm.Tool], str | None]:
    if choice.name is not None:
        named_tools = _select({choice.name}, tools)
        # The plugin's option would read a tool called "auto" as the mode.
        is_mode = choice.name in get_args(ToolChoiceMode)
        return (named_tools, "required") if is_mode else (list(tools), choice.name)
    return list(tools) if choice.allowed is None else _select(choice.allowed, tools), choice.mode


def _select(names: Collection[str], tools: Sequence[llm.Tool]) -> list[llm.Tool]:
    if unknown := sorted({*names} - {tool.name for tool in tools}):
        raise tool_choice_error(f"The tool choice names '{unknown[0]}', which is not among the tools.")
    return [tool for tool in tools if tool.name in names]


def tool_choice_error(message: str) -> ApiError:
    return ApiError(400, message, code="invalid_value", param="tool_choice")
