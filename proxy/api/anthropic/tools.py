"""Tools and tool choices, typed as in Anthropic's SDK (`types/beta/beta_tool_union_param.py`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import llm
from pydantic import Discriminator, Field, Tag

from ...http.body_model import LenientBody
from ...http.errors import ApiError
from ...items.tools import (
    ResolvedChoice,
    ToolChoiceMode,
    apply_choice,
    distinct_tools,
    tool_choice_error,
)

MODES: dict[str, ToolChoiceMode] = {"auto": "auto", "any": "required", "none": "none"}


class CustomTool(LenientBody):
    "A tool of the client. Arguments are always validated against `input_schema`, whatever `strict` says."

    type: Literal["custom"] | None = None
    name: Annotated[str, Field(min_length=1, max_length=128)]
    description: str | None = None
    input_schema: dict[str, Any] | None = None

    def to_tool(self) -> llm.Tool:
        return llm.Tool(self.name, self.description, self.input_schema or {})


class AnthropicTool(LenientBody):
    """A tool that Anthropic's servers run, or whose schema only Anthropic's models know.

    gpt-oss was not trained to call it, so it is not offered.
    """

    type: str


def _definition(tool: Any) -> str:
    is_custom = not isinstance(tool, dict) or tool.get("type") in (None, "custom")
    return "custom" if is_custom else "anthropic"


AnyTool = Annotated[
    Annotated[CustomTool, Tag("custom")] | Annotated[AnthropicTool, Tag("anthropic")],
    Discriminator(_definition),
]


class ToolChoice(LenientBody):
    type: Literal["auto", "any", "tool", "none"]
    name: str | None = None
    disable_parallel_tool_use: bool | None = None

    def resolve(self) -> ResolvedChoice:
        if self.type != "tool":
            return ResolvedChoice(MODES[self.type])
        if self.name is None:
            raise tool_choice_error("The tool choice has the type 'tool', but no 'name'.")
        return ResolvedChoice(name=self.name)


def select_tools(tools: Sequence[AnyTool], choice: ToolChoice | None) -> tuple[list[llm.Tool], str | None]:
    """Return the tools to offer the model, and the plugin's `tool_choice` option.

    Raises ApiError if none of the tools can be offered, if different ones have the same name, and if the
    choice names a tool that is not offered.
    """
    offered = distinct_tools(tool.to_tool() for tool in tools if isinstance(tool, CustomTool))
    if tools and not offered:
        message = (
            f"gpt-oss cannot call a tool of type '{tools[0].type}', which Anthropic defines. Send tools with "
            "an 'input_schema'."
        )
        raise ApiError(400, message, code="unsupported_parameter", param="tools")
    return apply_choice(offered, choice.resolve() if choice else ResolvedChoice())
