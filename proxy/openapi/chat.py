"The answers of `/v1/chat/completions` and `/v1/completions`."

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import ConfigDict

from .answer import Answer, ListAnswer

FinishReason = Literal["stop", "length", "tool_calls", "function_call", "content_filter"]


class TokenLogprob(Answer):
    token: str
    logprob: float
    bytes: list[int] | None


class TokenLogprobs(TokenLogprob):
    top_logprobs: list[TokenLogprob]


class ChoiceLogprobs(Answer):
    content: list[TokenLogprobs]
    refusal: None


class FunctionCall(Answer):
    name: str
    arguments: str


class CustomCall(Answer):
    name: str
    input: str


class FunctionToolCall(Answer):
    id: str
    type: Literal["function"]
    function: FunctionCall


class CustomToolCall(Answer):
    id: str
    type: Literal["custom"]
    custom: CustomCall


class ChatMessage(Answer):
    "`reasoning` and `reasoning_content` have the same text: clients read one or the other."

    role: Literal["assistant"]
    content: str | None
    refusal: None
    annotations: list[Any]
    reasoning: str = ""
    reasoning_content: str = ""
    tool_calls: Sequence[FunctionToolCall | CustomToolCall] = ()
    function_call: FunctionCall | None = None


class ChatChoice(Answer):
    index: int
    message: ChatMessage
    logprobs: ChoiceLogprobs | None
    finish_reason: FinishReason
    notes: Sequence[str] = ()


class PromptTokensDetails(Answer):
    cached_tokens: int
    audio_tokens: int


class ChatTokensDetails(Answer):
    reasoning_tokens: int
    audio_tokens: int
    accepted_prediction_tokens: int
    rejected_prediction_tokens: int


class ChatUsage(Answer):
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: PromptTokensDetails
    completion_tokens_details: ChatTokensDetails


class ChatFields(Answer):
    id: str
    created: int
    model: str
    service_tier: Literal["default"]
    system_fingerprint: None


class ChatCompletion(ChatFields):
    object: Literal["chat.completion"]
    choices: list[ChatChoice]
    usage: ChatUsage


class StoredChatCompletion(ChatCompletion):
    metadata: dict[str, str]


class StoredChatCompletionList(ListAnswer):
    data: list[StoredChatCompletion]


class StoredMessage(Answer):
    "A message as the client sent it, with an id."

    model_config = ConfigDict(extra="allow")

    id: str
    role: str
    content: str | None
    content_parts: list[Any] | None


class StoredMessageList(ListAnswer):
    data: list[StoredMessage]


class FunctionPiece(Answer):
    name: str = ""
    arguments: str = ""


class CustomPiece(Answer):
    name: str = ""
    input: str = ""


class ToolCallPiece(Answer):
    "`id`, `type` and the name are in the first piece of a call."

    index: int
    id: str = ""
    type: Literal["function", "custom"] = "function"
    function: FunctionPiece | None = None
    custom: CustomPiece | None = None


class ChatDelta(Answer):
    role: Literal["assistant"] = "assistant"
    content: str = ""
    refusal: None = None
    reasoning: str = ""
    reasoning_content: str = ""
    tool_calls: Sequence[ToolCallPiece] = ()
    function_call: FunctionPiece | None = None


class ChunkChoice(Answer):
    index: int
    delta: ChatDelta
    logprobs: ChoiceLogprobs | None
    finish_reason: FinishReason | None
    notes: Sequence[str] = ()


class ChatCompletionChunk(ChatFields):
    "`[DONE]` follows the last chunk. With `stream_options.include_usage`, that has the `usage`."

    object: Literal["chat.completion.chunk"]
    choices: list[ChunkChoice]
    usage: ChatUsage | None = None


class TextLogprobs(Answer):
    tokens: list[str]
    token_logprobs: list[float]
    top_logprobs: list[dict[str, float]] | None
    text_offset: list[int]


class TextChoice(Answer):
    "`finish_reason` is null in all chunks of a choice but the last."

    index: int
    text: str
    logprobs: TextLogprobs | None
    finish_reason: FinishReason | None
    notes: Sequence[str] = ()


class TextTokensDetails(Answer):
    reasoning_tokens: int


class TextUsage(Answer):
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    completion_tokens_details: TextTokensDetails


class Completion(Answer):
    "Chunks of a stream have the same form."

    id: str
    object: Literal["text_completion"]
    created: int
    model: str
    system_fingerprint: None
    choices: list[TextChoice]
    usage: TextUsage | None = None
