"The answers of `/v1/responses` and `/v1/conversations`."

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, RootModel

from .answer import Answer, ListAnswer

ItemStatus = Literal["in_progress", "completed", "incomplete"]


class OutputText(Answer):
    type: Literal["output_text"]
    text: str
    annotations: list[Any]
    logprobs: list[dict[str, Any]]


class OutputMessage(Answer):
    id: str
    type: Literal["message"]
    status: ItemStatus
    role: Literal["assistant"]
    content: list[OutputText]
    phase: Literal["commentary", "final_answer"]


class InputContent(Answer):
    "A text, or an image or a file that another program logged."

    type: Literal["input_text", "input_image", "input_file"]
    text: str = ""
    detail: Literal["auto"] = "auto"
    image_url: str | None = None
    file_url: str | None = None


class InputMessage(Answer):
    id: str
    type: Literal["message"]
    status: ItemStatus
    role: Literal["user", "system", "developer"]
    content: list[InputContent]


class ReasoningText(Answer):
    type: Literal["reasoning_text"]
    text: str


class SummaryText(Answer):
    type: Literal["summary_text"]
    text: str


class ReasoningItem(Answer):
    id: str
    type: Literal["reasoning"]
    status: ItemStatus
    summary: list[SummaryText]
    content: list[ReasoningText]
    encrypted_content: str = ""


class FunctionCallItem(Answer):
    id: str
    type: Literal["function_call"]
    status: ItemStatus
    call_id: str
    name: str
    namespace: str = ""
    arguments: str


class CustomToolCallItem(Answer):
    id: str
    type: Literal["custom_tool_call"]
    status: ItemStatus
    call_id: str
    name: str
    namespace: str = ""
    input: str


class FunctionCallOutput(Answer):
    "`name` and `namespace` identify the tool of an output without a `call_id`."

    id: str
    type: Literal["function_call_output"]
    status: ItemStatus
    call_id: str
    name: str = ""
    namespace: str = ""
    output: str


class CustomToolCallOutput(Answer):
    id: str
    type: Literal["custom_tool_call_output"]
    status: ItemStatus
    call_id: str
    output: str


class CompactionItem(Answer):
    id: str
    type: Literal["compaction"]
    encrypted_content: str


OutputItem = Annotated[
    OutputMessage | ReasoningItem | FunctionCallItem | CustomToolCallItem, Field(discriminator="type")
]
# Two items of the type `message` differ in their roles.
AnyItem = (
    OutputMessage
    | InputMessage
    | ReasoningItem
    | FunctionCallItem
    | CustomToolCallItem
    | FunctionCallOutput
    | CustomToolCallOutput
    | CompactionItem
)


class Item(RootModel[AnyItem]):
    "An item of a conversation."


class ItemList(ListAnswer):
    data: list[Item]


class ResponseError(Answer):
    code: str
    message: str


class IncompleteDetails(Answer):
    reason: Literal["max_output_tokens", "content_filter"]


class InputTokensDetails(Answer):
    cached_tokens: int
    cache_write_tokens: int


class OutputTokensDetails(Answer):
    reasoning_tokens: int


class ResponseUsage(Answer):
    input_tokens: int
    input_tokens_details: InputTokensDetails
    output_tokens: int
    output_tokens_details: OutputTokensDetails
    total_tokens: int


class ConversationReference(Answer):
    id: str


class ReasoningOptions(Answer):
    effort: str | None
    summary: str | None


class TextOptions(Answer):
    format: dict[str, Any]
    verbosity: Literal["low", "medium", "high"]


class Response(Answer):
    id: str
    object: Literal["response"]
    created_at: int
    status: Literal["queued", "in_progress", "completed", "incomplete", "failed", "cancelled"]
    completed_at: int | None
    error: ResponseError | None
    incomplete_details: IncompleteDetails | None
    model: str
    output: list[OutputItem]
    usage: ResponseUsage | None
    # What the request says, or OpenAI's defaults.
    background: bool
    conversation: ConversationReference | None
    frequency_penalty: float
    instructions: str | None
    max_output_tokens: int | None
    max_tool_calls: int | None
    metadata: dict[str, str]
    parallel_tool_calls: bool
    presence_penalty: float
    previous_response_id: str | None
    prompt: None
    prompt_cache_key: str | None
    prompt_cache_retention: str | None
    reasoning: ReasoningOptions
    safety_identifier: str | None
    service_tier: Literal["default"]
    store: bool
    temperature: float
    text: TextOptions
    tool_choice: str | dict[str, Any]
    tools: list[dict[str, Any]]
    top_logprobs: int
    top_p: float
    truncation: Literal["auto", "disabled"]
    user: str = ""
    notes: Sequence[str] = ()


class ResponseEvent(Answer):
    "`response.created`, deltas of items, and at last the whole response, or an `error`, as in OpenAI's API."

    model_config = ConfigDict(extra="allow")

    type: str
    sequence_number: int = 0


class CompactedResponse(Answer):
    id: str
    object: Literal["response.compaction"]
    created_at: int
    output: list[InputMessage | CompactionItem]
    usage: ResponseUsage


class InputTokens(Answer):
    object: Literal["response.input_tokens"]
    input_tokens: int


class Conversation(Answer):
    id: str
    object: Literal["conversation"]
    created_at: int
    metadata: dict[str, str]
