"""A Responses request: what it asks for, as an `Ask`. `fields` says what becomes of each of its fields."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from llm.parts import Message, TextPart
from pydantic import Field

from ...generation import GenerationRequest, ThreadPosition
from ...http.body_model import Body
from ...http.errors import ApiError
from ...items.messages import History, to_messages
from ...items.messages import item_references as named_in
from ...items.wire import AnyItem
from ..shared_fields import (
    Effort,
    Metadata,
    Sampling,
    TokenCount,
    Verbosity,
    clamp,
    refuse_unsupported,
    verbosity_instructions,
)
from .fields import FIELDS
from .formats import Format
from .tools import AnyTool, ToolChoice, callable_tools, select_tools

Summary = Literal["auto", "concise", "detailed"]
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
    """What the log has for a request: the conversation that it goes on with, and where that stands;
    and those of its `references` that were found, each as a message with that item alone."""

    history: Sequence[Message] = ()
    continues: ThreadPosition | None = None
    referenced: Mapping[str, Message] = field(default_factory=dict)


class Reasoning(Body):
    "`max_tokens` is not OpenAI's. Of earlier turns the model is shown no reasoning, whatever `context` says."

    context: Literal["auto", "current_turn", "all_turns"] | None = None
    effort: Effort | None = None
    generate_summary: Summary | None = None
    max_tokens: Annotated[int, Field(ge=0)] | None = None
    mode: str | None = None
    summary: Summary | None = None


class Text(Body):
    format: Format | None = None
    verbosity: Verbosity | None = None


class ConversationId(Body):
    id: str


class ResponsesRequest(Sampling):
    model: str
    background: bool | None = None
    conversation: str | ConversationId | None = None
    include: list[Includable] | None = None
    input: str | list[AnyItem] | None = None
    instructions: str | None = None
    max_output_tokens: TokenCount | None = None
    metadata: Metadata | None = None
    parallel_tool_calls: bool | None = None
    previous_response_id: str | None = None
    reasoning: Reasoning | None = None
    store: bool | None = None
    stream: bool | None = None
    text: Text | None = None
    tool_choice: ToolChoice | None = None
    tools: list[AnyTool] | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    truncation: Literal["auto", "disabled"] | None = None

    # Without effect. What the response tells again is of the type that clients expect there.
    access_programs: Any = None
    background_options: Any = None
    client_metadata: Any = None
    context_management: Any = None
    image: Any = None
    max_tool_calls: int | None = None
    prompt_cache_key: str | None = None
    prompt_cache_options: Any = None
    prompt_cache_retention: str | None = None
    safety_identifier: str | None = None
    service_tier: Any = None
    stream_options: Any = None
    user: str | None = None

    # Refused, whatever they hold.
    moderation: Any = None
    prompt: Any = None

    @property
    def conversation_id(self) -> str | None:
        return self.conversation.id if isinstance(self.conversation, ConversationId) else self.conversation

    @property
    def is_stored(self) -> bool:
        return self.store is not False

    def item_references(self) -> set[str]:
        "The ids of items to look up in the log."
        return named_in(self.input) if isinstance(self.input, list) else set()

    def generation_request(self, context: RequestContext = RequestContext()) -> GenerationRequest:
        "After `check`. Raises ApiError for items that say nothing or are not there."
        own = self._own(context)
        added = [*self._instructions()]
        known = len(context.history)
        given = callable_tools(self.tools or ())
        tools, choice = select_tools(given.tools, self.tool_choice)
        text = self.text or Text()
        return GenerationRequest(
            "/v1/responses",
            self.model,
            (*added, *context.history, *own.messages),
            tuple(tools),
            given.custom_names,
            text.format.answer_schema() if text.format else None,
            {name: value for name, value in self._options(choice) if value is not None},
            stream=bool(self.stream),
            store=self.is_stored,
            metadata=self.metadata or {},
            input_field="input",
            schema_field="text.format",
            replayable=self.is_stored,
            added=len(added),
            known=known,
            continues=context.continues,
            message_of_entry=tuple(len(added) + known + at for at in own.message_of_item),
            custom_call_ids=own.custom_call_ids,
        )

    def check(self) -> None:
        "Raises ApiError for what is refused, whatever the log has."
        refuse_unsupported(dict(self), FIELDS)
        if self.previous_response_id is not None and self.conversation is not None:
            message = "Send one of 'previous_response_id' and 'conversation', not both."
            raise ApiError(400, message, code="mutually_exclusive_parameters", param="previous_response_id")
        if self.background and not self.is_stored:
            message = "A response in the background has to be stored: leave 'store' out, or send true."
            raise ApiError(400, message, code="invalid_value", param="background")

    def _own(self, context: RequestContext) -> History:
        "What this request brings itself."
        if isinstance(self.input, str):
            return History([Message("user", [TextPart(self.input)])], (0,), frozenset())
        own = to_messages(self.input or (), context.referenced, context.history)
        if own.messages or context.history:
            return own
        if self.input is None:
            message = "Missing required parameter: 'input'."
            raise ApiError(400, message, code="missing_required_parameter", param="input")
        message = "Invalid 'input': there is nothing in it that the model could read."
        raise ApiError(400, message, code="invalid_value", param="input")

    def _instructions(self) -> Iterator[Message]:
        yield from verbosity_instructions(self.text.verbosity if self.text else None)
        if self.instructions:
            yield Message("system", [TextPart(self.instructions)])

    def _options(self, choice: str | None) -> Iterator[tuple[str, Any]]:
        reasoning = self.reasoning or Reasoning()
        rivals = self.top_logprobs or None
        yield "reasoning_effort", reasoning.effort
        yield "reasoning_tokens", clamp(reasoning.max_tokens)
        yield "max_tokens", clamp(self.max_output_tokens)
        yield "tool_choice", choice
        yield "parallel_tool_calls", self.parallel_tool_calls
        yield "truncate", True if self.truncation == "auto" else None
        yield "logprobs", True if rivals or "message.output_text.logprobs" in (self.include or ()) else None
        yield "top_logprobs", rivals
        yield from self.sampling_options()
