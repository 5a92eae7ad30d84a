"""The messages of a chat request, and their conversion to llm's messages.

Typed as in OpenAI's SDK (`types/chat/chat_completion_message_param.py`). `reasoning` and `reasoning_content`
are the two names under which clients send back a model's reasoning. Some libraries leave out what is empty,
others send null: both mean the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal

from llm.parts import Message, Part, ReasoningPart, ToolCallPart, ToolResultPart
from pydantic import BeforeValidator, Field, with_config
from typing_extensions import NotRequired, TypedDict

from llm_gpt_oss.turn.messages import name_metadata, tool_call_part

from ...generation import CustomCall
from ...http.body_model import LenientBody
from ...items.call_ids import CallIds
from ...items.content import (
    AttachmentContent,
    Content,
    assistant_parts,
    content_metadata,
    joined_text,
    refuse_attachments,
    text_part,
)
from ...log.fingerprint import tool_calls


class FunctionCall(LenientBody):
    "Some clients send the arguments as an object."

    name: str
    arguments: str | dict[str, Any] | None = None

    def to_part(self, call_id: str) -> Part:
        return tool_call_part(self.name, self.arguments or "", call_id)


class CustomToolInput(LenientBody):
    name: str
    input: str | None = None


class FunctionToolCall(LenientBody):
    id: str | None = None
    type: Literal["function", ""] | None = None
    function: FunctionCall

    def to_part(self) -> Part:
        return self.function.to_part(self.id or "")


class CustomToolCall(LenientBody):
    id: str | None = None
    type: Literal["custom"]
    custom: CustomToolInput

    def to_part(self) -> Part:
        return ToolCallPart(self.custom.name, {"input": self.custom.input or ""}, self.id or "")


class SpokenAnswer(LenientBody):
    transcript: str | None = None


class ReasoningDetail(LenientBody):
    "A part of OpenRouter's `reasoning_details`: https://openrouter.ai/docs/use-cases/reasoning-tokens"

    text: str | None = None
    summary: str | None = None
    data: str | None = None


@with_config(LenientBody.model_config)
class ChatMessage(TypedDict):
    "A dictionary, because pydantic needs three times as long for an object. A history has thousands of them."

    content: NotRequired[Content]


class NamedMessage(ChatMessage):
    role: Literal["system", "developer", "user"]
    name: NotRequired[str | None]


class AssistantMessage(ChatMessage):
    """A message of the assistant. `function_call` is the older form of `tool_calls`.

    `audio` is a spoken answer of another server.
    """

    role: Literal["assistant"]
    reasoning: NotRequired[str | None]
    reasoning_content: NotRequired[str | None]
    reasoning_details: NotRequired[list[ReasoningDetail] | None]
    refusal: NotRequired[str | None]
    tool_calls: NotRequired[list[FunctionToolCall | CustomToolCall] | None]
    function_call: NotRequired[FunctionCall | None]
    audio: NotRequired[SpokenAnswer | None]


class ToolMessage(ChatMessage):
    "The result of a tool. `function` is the older role."

    role: Literal["tool", "function"]
    tool_call_id: NotRequired[str | None]
    name: NotRequired[str | None]


def _to_message(entry: NamedMessage | AssistantMessage | ToolMessage) -> Message:
    content = entry.get("content")
    if entry["role"] == "assistant":
        return _assistant_message(entry)
    name = entry.get("name")
    if entry["role"] == "tool" or entry["role"] == "function":
        result = ToolResultPart(name or "", joined_text(content), entry.get("tool_call_id") or "")
        result.provider_metadata = content_metadata(content)
        return Message("tool", [result])
    return Message(entry["role"], [text_part(content)], provider_metadata=name_metadata(name))


def _assistant_message(entry: AssistantMessage) -> Message:
    reasoning = _reasoning(entry)
    parts = assistant_parts(_assistant_content(entry))
    if reasoning and not any(isinstance(part, ReasoningPart) for part in parts):
        parts.insert(0, reasoning)
    if calls := entry.get("tool_calls"):
        parts += [call.to_part() for call in calls]
    if call := entry.get("function_call"):
        parts.append(call.to_part(""))
    return Message("assistant", parts)


def _assistant_content(entry: AssistantMessage) -> Content:
    "Return the content, or what takes its place."
    content, refusal, audio = entry.get("content"), entry.get("refusal"), entry.get("audio")
    if not (refusal or audio) or joined_text(content):
        return content
    return refusal or (audio and audio.transcript) or [AttachmentContent(type="audio")]


def _reasoning(entry: AssistantMessage) -> ReasoningPart | None:
    "Return the reasoning in a field of its own."
    if text := entry.get("reasoning") or entry.get("reasoning_content"):
        return ReasoningPart(text)
    details = entry.get("reasoning_details")
    return _detailed_reasoning(details) if details else None


def _detailed_reasoning(details: Sequence[ReasoningDetail]) -> ReasoningPart | None:
    "Return the reasoning in OpenRouter's field. It is redacted if only another server can decrypt it."
    texts = [detail.text for detail in details if detail.text]
    texts = texts or [detail.summary for detail in details if detail.summary]
    if text := "".join(texts):
        return ReasoningPart(text)
    return ReasoningPart("", redacted=True) if any(detail.data for detail in details) else None


def _fit_role(message: Any) -> Any:
    "Ollama reads roles in upper and lower case, so clients send them in both."
    if isinstance(message, dict) and isinstance(role := message.get("role"), str) and not role.islower():
        return {**message, "role": role.lower()}
    return message


AnyMessage = Annotated[
    Annotated[NamedMessage | AssistantMessage | ToolMessage, Field(discriminator="role")],
    BeforeValidator(_fit_role),
]


def to_messages(entries: Sequence[AnyMessage]) -> Iterator[Message]:
    """Yield llm's messages. The result of a tool gets the id and the name of the call that it answers.

    Raises ApiError if the newest user message has an attachment. In the history, text stands for it.
    """
    messages = [*map(_to_message, entries)]
    roles = [message.role for message in messages]
    refuse_attachments([*zip(roles, (entry.get("content") for entry in entries), strict=True)], "messages")
    call_ids = CallIds()
    for message in messages:
        for index, part in enumerate(message.parts):
            if isinstance(part, ToolCallPart):
                message.parts[index] = call_ids.add_call(part)
            elif isinstance(part, ToolResultPart) and (call := call_ids.call_of(part)):
                part.name, part.tool_call_id = part.name or call.name, call.tool_call_id
        yield message


def custom_calls(entries: Sequence[AnyMessage], messages: Sequence[Message]) -> frozenset[CustomCall]:
    "Return the calls of custom tools, with the ids that they have in the messages of the entries."
    return frozenset(
        CustomCall(part.tool_call_id or "", part.name)
        for entry, message in zip(entries, messages, strict=True)
        if entry["role"] == "assistant" and (calls := entry.get("tool_calls"))
        for call, part in zip(calls, tool_calls([message]), strict=False)
        if isinstance(call, CustomToolCall)
    )
