"The answers of `/v1/messages`, and of `/v1/models` for Anthropic's clients."

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from .answer import Answer


class TextBlock(Answer):
    type: Literal["text"]
    text: str
    citations: None


class ThinkingBlock(Answer):
    type: Literal["thinking"]
    thinking: str
    signature: str


class ToolUseBlock(Answer):
    type: Literal["tool_use"]
    id: str
    name: str
    input: dict[str, Any]


class ThinkingTokens(Answer):
    thinking_tokens: int


class MessageUsage(Answer):
    input_tokens: int
    cache_creation_input_tokens: int
    cache_read_input_tokens: int
    output_tokens: int
    output_tokens_details: ThinkingTokens


class Message(Answer):
    id: str
    type: Literal["message"]
    role: Literal["assistant"]
    model: str
    content: list[Annotated[TextBlock | ThinkingBlock | ToolUseBlock, Field(discriminator="type")]]
    stop_reason: Literal["end_turn", "max_tokens", "tool_use", "refusal", "model_context_window_exceeded"]
    stop_sequence: None
    usage: MessageUsage
    notes: Sequence[str] = ()


class MessageEvent(Answer):
    """`message_start`, the deltas of blocks, `message_stop` and `ping`, as in Anthropic's API.

    The `delta` of `message_delta` may have `notes`, as the message does.
    """

    model_config = ConfigDict(extra="allow")

    type: str


class TokenCount(Answer):
    input_tokens: int


class AnthropicModel(Answer):
    type: Literal["model"]
    id: str
    display_name: str
    created_at: str
    lifecycle: Literal["active"]
    max_input_tokens: int | None


class AnthropicModelList(Answer):
    data: list[AnthropicModel]
    has_more: Literal[False]
    first_id: str | None
    last_id: str | None


class AnthropicErrorDetails(Answer):
    type: str
    message: str


class AnthropicError(Answer):
    type: Literal["error"]
    error: AnthropicErrorDetails
    request_id: str | None
