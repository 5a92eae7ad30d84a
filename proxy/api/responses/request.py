"""A Responses request, and the generation that it asks for. `fields` lists what happens to each field."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal

from llm.parts import Message, TextPart
from pydantic import Field

from ...generation import GenerationRequest, ThreadPosition
from ...http.body_model import Body, LenientBody
from ...http.errors import ApiError
from ...http.field_table import FieldTable
from ...items.messages import History, LoggedItem, check_newest_message, to_messages
from ...items.messages import item_references as references_of
from ...items.tools import effective_choice
from ...items.wire import AnyItem
from ..shared_fields import (
    EMPTY_AS_NULL,
    CacheMode,
    CacheRetention,
    Metadata,
    OptionalEffort,
    OptionalVerbosity,
    SafetyIdentifier,
    Sampling,
    TokenLimit,
    TopLogprobs,
    Whole,
    clamp,
    verbosity_instructions,
)
from .fields import FIELDS
from .formats import Format
from .tools import AnyTool, ToolChoice, callable_tools, select_tools

# The fields of this API for the model's parameters.
FIELD_NAMES = {
    "max_tokens": "max_output_tokens",
    "messages": "input",
    "reasoning_effort": "reasoning.effort",
    "reasoning_tokens": "reasoning.max_tokens",
    "repeat_penalty": "repetition_penalty",
    "schema": "text.format.schema",
}

Summary = Annotated[Literal["auto", "concise", "detailed"] | None, EMPTY_AS_NULL]
Includable = Literal[
    "code_interpreter_call.outputs",
    "computer_call_output.output.image_url",
    "file_search_call.results",
    "message.input_image.image_url",
    "message.output_text.logprobs",
    "reasoning.encrypted_content",
    "web_search_call.action.sources",
    "web_search_call.results",
]


@dataclass(frozen=True, slots=True)
class RequestContext:
    """What the log has for a request.

    `history` is the conversation that the request continues, and `continues` is where that is in the log.
    `referenced` has the logged items among the request's `item_references`.
    """

    history: Sequence[Message] = ()
    continues: ThreadPosition | None = None
    referenced: Mapping[str, LoggedItem] = field(default_factory=dict)


class Reasoning(Body):
    """`max_tokens` is not OpenAI's.

    `context` and `mode` have no effect: the model never sees reasoning of earlier turns.
    """

    context: Literal["auto", "current_turn", "all_turns"] | None = None
    effort: OptionalEffort = None
    generate_summary: Summary = None
    max_tokens: Annotated[Whole, Field(ge=0)] | None = None
    mode: str | None = None
    summary: Summary = None


class TextOptions(Body):
    format: Format | None = None
    verbosity: OptionalVerbosity = None


class ConversationId(Body):
    id: str


class AccessPrograms(LenientBody):
    cyber: Literal["standard", "daybreak_blue", "daybreak_red"] | None = None


class BackgroundOptions(LenientBody):
    completion_window: Literal["soonest", "2h", "8h"] | None = None
    continuation_id: str | None = None


class ContextManagement(LenientBody):
    type: str
    compact_threshold: Whole | None = None


class ImageOptions(LenientBody):
    context_compression: Literal["auto", "enabled", "disabled"] | None = None


class ResponsesCacheOptions(LenientBody):
    comparison_response_id: str | None = None
    mode: CacheMode | None = None
    prewarm: bool | None = None
    ttl: Literal["30m", "12h"] | None = None


class StreamOptions(LenientBody):
    include_obfuscation: bool | None = None


class ResponsesRequest(Sampling):
    FIELDS: ClassVar[FieldTable] = FIELDS

    model: str
    background: bool | None = None
    conversation: str | ConversationId | None = None
    include: list[Includable] | None = None
    input: str | list[AnyItem] | None = None
    instructions: str | None = None
    max_output_tokens: TokenLimit = None
    metadata: Metadata | None = None
    parallel_tool_calls: bool | None = None
    previous_response_id: str | None = None
    reasoning: Reasoning | None = None
    store: bool | None = None
    stream: bool | None = None
    text: TextOptions | None = None
    tool_choice: ToolChoice | None = None
    tools: list[AnyTool] | None = None
    top_logprobs: TopLogprobs | None = None
    truncation: Literal["auto", "disabled"] | None = None

    # Without effect: only their types are checked, because clients' types are strict about those that the
    # response repeats.
    access_programs: AccessPrograms | None = None
    background_options: BackgroundOptions | None = None
    context_management: list[ContextManagement] | None = None
    image: ImageOptions | None = None
    max_tool_calls: Whole | None = None
    prompt_cache_key: str | None = None
    prompt_cache_options: ResponsesCacheOptions | None = None
    prompt_cache_retention: CacheRetention | None = None
    safety_identifier: SafetyIdentifier | None = None
    service_tier: Literal["auto", "default", "flex", "scale", "priority", "fast", "ultrafast"] | None = None
    stream_options: StreamOptions | None = None
    user: str | None = None

    @property
    def conversation_id(self) -> str | None:
        return self.conversation.id if isinstance(self.conversation, ConversationId) else self.conversation

    @property
    def is_stored(self) -> bool:
        return self.store is not False

    def item_references(self) -> set[str]:
        "The ids of items to look up in the log."
        return references_of(self.input) if isinstance(self.input, list) else set()

    def generation_request(self, context: RequestContext = RequestContext()) -> GenerationRequest:
        """Return the request to the model. Call `check` first.

        Raises ApiError for items that cannot be used and for an input without any text.
        """
        new_input = self._new_input(context)
        added = [*self._instructions()]
        known = len(context.history)
        available = callable_tools(self.tools or ())
        choice = effective_choice(self.tool_choice, self.tools)
        tools, option = select_tools(available.tools, choice)
        text = self.text or TextOptions()
        return GenerationRequest(
            "/v1/responses",
            self.model,
            (*added, *context.history, *new_input.messages),
            tuple(tools),
            available.custom_names,
            text.format.answer_schema("text.format") if text.format else None,
            {name: value for name, value in self._options(option) if value is not None},
            stream=bool(self.stream),
            store=self.is_stored,
            metadata=self.metadata or {},
            fields=FIELD_NAMES,
            replayable=self.is_stored,
            added=len(added),
            known=known,
            continues=context.continues,
            message_of_entry=tuple(len(added) + known + index for index in new_input.message_of_item),
            custom_calls=new_input.custom_calls,
        )

    def unused_fields(self) -> Iterator[str]:
        if effective_choice(self.tool_choice, self.tools) is not self.tool_choice:
            yield "tool_choice"

    def check(self) -> None:
        "Check the values, without the log. Raises ApiError for values that are not supported."
        if self.previous_response_id is not None and self.conversation is not None:
            message = "Send one of 'previous_response_id' and 'conversation', not both."
            raise ApiError(400, message, code="mutually_exclusive_parameters", param="previous_response_id")
        if self.background and not self.is_stored:
            message = "A response in the background must be stored. Leave 'store' out, or set it to true."
            raise ApiError(400, message, code="invalid_value", param="background")
        if isinstance(self.input, list):
            check_newest_message(self.input)

    def _new_input(self, context: RequestContext) -> History:
        "The messages that this request adds to the conversation."
        if isinstance(self.input, str):
            return History([Message("user", [TextPart(self.input)])], (), frozenset())
        new_input = to_messages(self.input or (), context.referenced, context.history)
        if new_input.messages or context.history:
            return new_input
        if self.input is None:
            message = "Missing required parameter: 'input'."
            raise ApiError(400, message, code="missing_required_parameter", param="input")
        message = "Invalid 'input': it has no item that the model can read."
        raise ApiError(400, message, code="invalid_value", param="input")

    def _instructions(self) -> Iterator[Message]:
        yield from verbosity_instructions(self.text.verbosity if self.text else None)
        if self.instructions:
            yield Message("system", [TextPart(self.instructions)])

    def _options(self, tool_choice: str | None) -> Iterator[tuple[str, Any]]:
        reasoning = self.reasoning or Reasoning()
        top_logprobs = self.top_logprobs or None
        logprobs = bool(top_logprobs) or "message.output_text.logprobs" in (self.include or ())
        yield "reasoning_effort", reasoning.effort
        yield "reasoning_tokens", clamp(reasoning.max_tokens)
        yield "max_tokens", clamp(self.max_output_tokens)
        yield "tool_choice", tool_choice
        yield "parallel_tool_calls", self.parallel_tool_calls
        yield "truncate", True if self.truncation == "auto" else None
        yield "logprobs", logprobs or None
        yield "top_logprobs", top_logprobs
        yield from self.sampling_options()
