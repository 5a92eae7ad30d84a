"""A chat request, and the generation that it asks for. `fields` lists what happens to each of its fields."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Annotated, Any, ClassVar, Literal

from llm.parts import Message, TextPart
from pydantic import Field

from ...generation import GenerationRequest
from ...http.body_model import Body, LenientBody
from ...http.errors import ApiError
from ...http.field_table import FieldTable
from ...items.content import TextContent
from ...items.tools import distinct_tools, effective_choice
from ...settings import ReasoningField
from ..shared_fields import (
    CacheRetention,
    Metadata,
    OptionalEffort,
    OptionalVerbosity,
    PromptCacheOptions,
    SafetyIdentifier,
    Sampling,
    StreamOptions,
    TokenLimit,
    TopLogprobs,
    Whole,
    clamp,
    verbosity_instructions,
)
from .fields import FIELDS
from .formats import ResponseFormat
from .messages import AnyMessage, custom_calls, to_messages
from .tools import (
    AnyTool,
    Function,
    FunctionTool,
    ToolChoice,
    has_functions,
    select_tools,
)
from .writer import REASONING_NAMES


class Reasoning(Body):
    "OpenRouter's reasoning options: https://openrouter.ai/docs/use-cases/reasoning-tokens"

    effort: OptionalEffort = None
    max_tokens: Annotated[Whole, Field(ge=0)] | None = None
    exclude: bool | None = None


class ReasoningFields(Body):
    "The fields that decide whether an answer includes the model's reasoning."

    include_reasoning: bool | None = None
    reasoning: Reasoning | None = None

    def reasoning_names(self, field: ReasoningField) -> tuple[str, ...]:
        "Return the names of the answer's fields for the reasoning. There are none if the client excludes it."
        if self.include_reasoning is False or (self.reasoning and self.reasoning.exclude):
            return ()
        return REASONING_NAMES if field == "both" else (field,)


class Prediction(LenientBody):
    type: Literal["content"]
    content: str | list[TextContent]


class ChatRequest(Sampling, ReasoningFields):
    FIELDS: ClassVar[FieldTable] = FIELDS

    model: str
    messages: Annotated[list[AnyMessage], Field(min_length=1)]
    functions: list[Function] | None = None
    instructions: str | None = None
    logprobs: bool | None = None
    max_completion_tokens: TokenLimit = None
    max_tokens: TokenLimit = None
    metadata: Metadata | None = None
    modalities: list[Literal["text"]] | None = None
    n: Annotated[Whole, Field(ge=1, le=16)] | None = None
    parallel_tool_calls: bool | None = None
    reasoning_effort: OptionalEffort = None
    response_format: ResponseFormat | None = None
    store: bool | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    tool_choice: ToolChoice | None = None
    tools: list[AnyTool] | None = None
    top_logprobs: TopLogprobs | None = None
    truncation: Literal["auto", "disabled"] | None = None
    verbosity: OptionalVerbosity = None

    # Without effect: only their types are checked.
    prediction: Prediction | None = None
    prompt_cache_key: str | None = None
    prompt_cache_options: PromptCacheOptions | None = None
    prompt_cache_retention: CacheRetention | None = None
    safety_identifier: SafetyIdentifier | None = None
    service_tier: Literal["auto", "default", "flex", "scale", "priority", "fast"] | None = None
    user: str | None = None

    @property
    def include_usage(self) -> bool:
        "Whether a stream ends with a chunk that has the usage."
        return bool(self.stream_options and self.stream_options.include_usage)

    @property
    def uses_functions(self) -> bool:
        "Whether the client sent `functions`, the older form of `tools`, and expects answers in that form."
        return has_functions(self.tools, self.functions)

    @property
    def _tools(self) -> Sequence[AnyTool]:
        if self.uses_functions:
            return [FunctionTool(type="function", function=each) for each in self.functions or ()]
        return self.tools or ()

    @property
    def _choice(self) -> ToolChoice | None:
        return effective_choice(self.tool_choice, self._tools)

    def unused_fields(self) -> Iterator[str]:
        if self._choice is not self.tool_choice:
            yield "tool_choice"
        if self.functions and self.tools:
            yield "functions"

    def generation_request(self) -> GenerationRequest:
        "Return the request to the model. Raises ApiError for values that are not supported."
        messages = [*to_messages(self.messages)]
        if self.top_logprobs and not self.logprobs:
            message = "'top_logprobs' requires 'logprobs'. Set 'logprobs' to true."
            raise ApiError(400, message, code="invalid_value", param="top_logprobs")
        tools, choice = select_tools(
            distinct_tools((tool.to_tool() for tool in self._tools), self._field_names["tools"]), self._choice
        )
        added = [*verbosity_instructions(self.verbosity)]
        if self.instructions:
            added.append(Message("system", [TextPart(self.instructions)]))
        return GenerationRequest(
            "/v1/chat/completions",
            self.model,
            (*added, *messages),
            tuple(tools),
            frozenset(tool.custom.name for tool in self._tools if tool.type == "custom"),
            self.response_format.answer_schema("response_format") if self.response_format else None,
            {name: value for name, value in self._options(choice) if value is not None},
            stream=bool(self.stream),
            store=bool(self.store),
            metadata=self.metadata or {},
            fields=self._field_names,
            added=len(added),
            message_of_entry=tuple(range(len(added), len(added) + len(self.messages))),
            custom_calls=custom_calls(self.messages, messages),
        )

    @property
    def _field_names(self) -> dict[str, str]:
        has_json_schema = self.response_format is not None and self.response_format.type == "json_schema"
        return {
            "max_tokens": "max_completion_tokens" if self.max_completion_tokens else "max_tokens",
            "repeat_penalty": "repetition_penalty",
            "schema": f"response_format{'.json_schema' * has_json_schema}.schema",
            "tools": "functions" if self.uses_functions else "tools",
        }

    def choice_requests(self, request: GenerationRequest) -> list[GenerationRequest]:
        "One request for each choice of the answer."
        return [
            replace(request, options={**request.options, **self.seed_option(choice)})
            for choice in range(self.n or 1)
        ]

    def _options(self, tool_choice: str | None) -> Iterator[tuple[str, Any]]:
        reasoning = self.reasoning or Reasoning()
        yield "reasoning_effort", self.reasoning_effort or reasoning.effort
        yield "reasoning_tokens", clamp(reasoning.max_tokens)
        yield "max_tokens", clamp(self.max_completion_tokens or self.max_tokens)
        yield "tool_choice", tool_choice
        yield "logprobs", self.logprobs
        # An answer with `function_call` has one call.
        yield "parallel_tool_calls", False if self.uses_functions else self.parallel_tool_calls
        yield "truncate", True if self.truncation == "auto" else None
        yield from self.sampling_options()
        yield "top_logprobs", self.top_logprobs if self.logprobs else None
