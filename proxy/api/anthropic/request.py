"""A Messages request, and the generation that it asks for. `fields` lists what happens to each field."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from llm_gpt_oss.turn.schema_check import schema_error

from ...generation import GenerationRequest
from ...http.body_model import Body, LenientBody
from ...http.errors import ApiError
from ...http.field_table import FieldTable
from ..shared_fields import Effort, Probability, Whole, clamp
from .blocks import TextBlock
from .fields import FIELDS
from .messages import AnyMessage, system_messages, to_history
from .tools import AnthropicTool, AnyTool, ToolChoice, select_tools
from .writer import ThinkingDisplay

# For a request without `thinking`. Claude would not think at all, and the client may have set `max_tokens`
# accordingly. But gpt-oss without any reasoning calls tools badly.
UNSEEN_EFFORT = "low"


class Thinking(LenientBody):
    type: Literal["adaptive", "between_tools", "disabled", "enabled"]
    budget_tokens: Annotated[Whole, Field(ge=0)] | None = None
    display: str | None = None


class OutputFormat(LenientBody):
    type: Literal["json_schema"]
    schema_: dict[str, Any] = Field(alias="schema")


class OutputConfig(LenientBody):
    effort: Effort | None = None
    format: OutputFormat | None = None


class MessagesRequest(Body):
    FIELDS: ClassVar[FieldTable] = FIELDS

    model: str
    messages: Annotated[list[AnyMessage], Field(min_length=1)]
    max_tokens: Annotated[Whole, Field(ge=0)] | None = None
    output_config: OutputConfig | None = None
    output_format: OutputFormat | None = None
    stop_sequences: list[str] | None = None
    stream: bool | None = None
    system: str | list[TextBlock] | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    thinking: Thinking | None = None
    tool_choice: ToolChoice | None = None
    tools: list[AnyTool] | None = None
    top_k: Annotated[Whole, Field(ge=-1)] | None = None
    top_p: Probability | None = None

    @property
    def thinking_display(self) -> ThinkingDisplay:
        "How the answer shows the model's reasoning. Clients that do not request thinking may not expect it."
        if self.thinking is None or self.thinking.type == "disabled":
            return "none"
        return "signature" if self.thinking.display == "omitted" else "text"

    @property
    def _choice(self) -> ToolChoice | None:
        "The tool choice, unless it requires a call where there are no tools."
        requires_call = self.tool_choice is not None and self.tool_choice.type == "any"
        return None if requires_call and not self.tools else self.tool_choice

    def unused_fields(self) -> Iterator[str]:
        if self._choice is not self.tool_choice:
            yield "tool_choice"
        for index, tool in enumerate(self.tools or ()):
            if isinstance(tool, AnthropicTool):
                yield f"tools[{index}]"

    def generation_request(self) -> GenerationRequest:
        "Return the request to the model. Raises ApiError for values that are not supported."
        tools, choice = select_tools(self.tools or (), self._choice)
        history = to_history([*system_messages(self.system)], self.messages)
        return GenerationRequest(
            "/v1/messages",
            self.model,
            tuple(history.messages),
            tuple(tools),
            schema=self._schema(),
            options={name: value for name, value in self._options(choice) if value is not None},
            stream=bool(self.stream),
            fields={"schema": "output_config.format.schema", "stop": "stop_sequences"},
            message_of_entry=history.message_of_entry,
            default_effort=None if self.thinking else UNSEEN_EFFORT,
        )

    def _schema(self) -> dict[str, Any] | None:
        "Return the JSON schema of the answer. Raises ApiError for an invalid schema."
        output_format = (self.output_config and self.output_config.format) or self.output_format
        if output_format is None:
            return None
        if reason := schema_error(output_format.schema_):
            message = f"Invalid schema for 'output_config.format': {reason}."
            raise ApiError(400, message, code="invalid_json_schema", param="output_config.format.schema")
        return output_format.schema_

    def _options(self, tool_choice: str | None) -> Iterator[tuple[str, Any]]:
        yield "reasoning_effort", self._effort()
        yield "reasoning_tokens", clamp(self.thinking.budget_tokens) if self.thinking else None
        # Anthropic's API generates nothing with 0 and only fills its cache. One token does the same here.
        yield "max_tokens", None if self.max_tokens is None else clamp(max(self.max_tokens, 1))
        yield "tool_choice", tool_choice
        if self.tool_choice and self.tool_choice.disable_parallel_tool_use:
            yield "parallel_tool_calls", False
        yield "temperature", self.temperature
        yield "top_p", self.top_p
        yield "top_k", clamp(self.top_k)
        yield "stop", [text for text in self.stop_sequences or () if text] or None

    def _effort(self) -> str | None:
        if self.thinking and self.thinking.type == "disabled":
            return "none"
        return self.output_config.effort if self.output_config else None
