"""What the tools of OpenAI's APIs have in common, and which of them are offered."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import llm
from pydantic_core import from_json

from ..http.body_model import Body
from ..http.errors import ApiError

# A custom tool takes free text; the model sees a function with one string.
FREE_TEXT = {
    "type": "object",
    "properties": {"input": {"type": "string"}},
    "required": ["input"],
    "additionalProperties": False,
}


def free_text(arguments: str) -> str:
    "What the model gave as a custom tool's one argument; all that it gave, where it did not keep to that."
    try:
        given = from_json(arguments)
    except ValueError:
        return arguments
    text = given.get("input") if isinstance(given, dict) else None
    return text if isinstance(text, str) else arguments


class TextFormat(Body):
    type: Literal["text"]


class Grammar(Body):
    syntax: Literal["lark", "regex"]
    definition: str

    def told(self, description: str | None) -> str:
        "The description, with the grammar that the text has to follow: it is shown, not enforced."
        rule = f"The input follows this {self.syntax} grammar:\n{self.definition}"
        return f"{description}\n{rule}" if description else rule


Mode = Literal["none", "auto", "required"]


@dataclass(frozen=True, slots=True)
class Choice:
    "A mode; or the `name` of the tool to call; of the tools that `among` names, or of all of them."

    mode: Mode | None = None
    name: str | None = None
    among: Collection[str] | None = None


def offered_tools(tools: Sequence[llm.Tool], choice: Choice) -> tuple[list[llm.Tool], str | None]:
    """The tools that are on offer, and the choice among them as the plugin's option has it.

    Raises ApiError where what has to be called is not there.
    """
    on_offer, how = _offered(tools, choice)
    if how == "required" and not on_offer:
        raise not_to_choose("The tool choice is 'required', but there are no tools.")
    return on_offer, how


def _offered(tools: Sequence[llm.Tool], choice: Choice) -> tuple[list[llm.Tool], str | None]:
    if choice.name is not None:
        only = _only({choice.name}, tools)
        # The plugin's option has one word for a mode and for a name.
        return (only, "required") if choice.name in get_args(Mode) else (list(tools), choice.name)
    return list(tools) if choice.among is None else _only(choice.among, tools), choice.mode


def _only(names: Collection[str], tools: Sequence[llm.Tool]) -> list[llm.Tool]:
    if unknown := sorted({*names} - {tool.name for tool in tools}):
        raise not_to_choose(f"The tool choice names '{unknown[0]}', which is not among the tools.")
    return [tool for tool in tools if tool.name in names]


def not_to_choose(why: str) -> ApiError:
    return ApiError(400, why, code="invalid_value", param="tool_choice")
