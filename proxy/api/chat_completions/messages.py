"""The messages of a chat request, and their conversion to llm's messages.

Typed as in OpenAI's SDK (`types/chat/chat_completion_message_param.py`). `reasoning` and `reasoning_content`
are the two names under which clients send back a model's reasoning. Some libraries leave out empty texts,
others send null: both mean an empty text.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated, Literal

from llm.parts import Message, Part, ReasoningPart, TextPart, ToolCallPart, ToolResultPart
from pydantic import Field

from llm_gpt_oss.turn.messages import tool_call_part

from ...http.body_model import LenientBody
from ...items.call_ids import CallIds
from ...items.wire import RefusalContent, unsupported_content


class TextContent(LenientBody):
    type: Literal["text"]
    text: str | None = None


class UnsupportedContent(LenientBody):
    "Content that gpt-oss cannot read. It is parsed so that the error can name its type."

    type: Literal["image_url", "input_audio", "file"]


Content = Annotated[TextContent | RefusalContent | UnsupportedContent, Field(discriminator="type")]


class FunctionCall(LenientBody):
    name: str
    arguments: str | None = None

    def to_part(self, call_id: str) -> Part:
        return tool_call_part(self.name, self.arguments or "", call_id)


class CustomCall(LenientBody):
    name: str
    input: str | None = None


class FunctionToolCall(LenientBody):
    id: str
    type: Literal["function"] | None = None
    function: FunctionCall

    def to_part(self) -> Part:
        return self.function.to_part(self.id)


class CustomToolCall(LenientBody):
    id: str
    type: Literal["custom"]
    custom: CustomCall

    def to_part(self) -> Part:
        return ToolCallPart(self.custom.name, {"input": self.custom.input or ""}, self.id)


class ContentMessage(LenientBody):
    content: str | list[Content] | None = None


class InstructionMessage(ContentMessage):
    role: Literal["system", "developer"]

    def to_message(self) -> Message:
        return Message(self.role, [TextPart(content_text(self.content))])


class UserMessage(ContentMessage):
    role: Literal["user"]

    def to_message(self) -> Message:
        return Message("user", [TextPart(content_text(self.content))])


class AssistantMessage(ContentMessage):
    """A message of the assistant. `function_call` is the older form of `tool_calls`.

    `audio` is refused, since it refers to a message that this server does not have.
    """

    role: Literal["assistant"]
    reasoning: str | None = None
    reasoning_content: str | None = None
    refusal: str | None = None
    tool_calls: list[FunctionToolCall | CustomToolCall] | None = None
    function_call: FunctionCall | None = None
    audio: None = None

    def to_message(self) -> Message:
        parts: list[Part] = []
        if reasoning := self.reasoning or self.reasoning_content:
            parts.append(ReasoningPart(reasoning))
        if text := content_text(self.content) or self.refusal:
            parts.append(TextPart(text))
        if self.tool_calls:
            parts += [call.to_part() for call in self.tool_calls]
        if call := self.function_call:
            parts.append(call.to_part(""))
        return Message("assistant", parts)


class ToolMessage(ContentMessage):
    role: Literal["tool"]
    tool_call_id: str
    name: str | None = None

    def to_message(self) -> Message:
        result = ToolResultPart(self.name or "", content_text(self.content), self.tool_call_id)
        return Message("tool", [result])


class FunctionMessage(ContentMessage):
    role: Literal["function"]
    name: str

    def to_message(self) -> Message:
        return Message("tool", [ToolResultPart(self.name, content_text(self.content), "")])


AnyMessage = Annotated[
    InstructionMessage | UserMessage | AssistantMessage | ToolMessage | FunctionMessage,
    Field(discriminator="role"),
]


def to_messages(entries: Iterable[AnyMessage]) -> Iterator[Message]:
    "Yield llm's messages. The result of a tool gets the id and the name of the call that it answers."
    call_ids = CallIds()
    for entry in entries:
        message = entry.to_message()
        for index, part in enumerate(message.parts):
            if isinstance(part, ToolCallPart):
                message.parts[index] = call_ids.add_call(part)
            elif isinstance(part, ToolResultPart) and (call := call_ids.call_of(part)):
                part.name, part.tool_call_id = part.name or call.name, call.tool_call_id
        yield message


def content_text(content: str | Iterable[Content] | None) -> str:
    "The text of a message's content. Raises ApiError for content that is not text."
    if content is None or isinstance(content, str):
        return content or ""
    return "\n".join(_part_text(part) for part in content)


def _part_text(part: Content) -> str:
    match part:
        case TextContent(text=text) | RefusalContent(refusal=text):
            return text or ""
        case _:
            raise unsupported_content(part.type, "messages")
