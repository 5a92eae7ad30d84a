"""The messages of a chat request, and llm's messages that they come to.

Types as in OpenAI's SDK, `types/chat/chat_completion_message_param.py`; `reasoning` and `reasoning_content`
are what clients send a model's chain of thought back as.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated, Literal

from llm.parts import Message, Part, ReasoningPart, TextPart, ToolCallPart, ToolResultPart
from pydantic import Field

from llm_gpt_oss.turn.messages import tool_call_part

from ...http.body_model import LenientBody
from ...http.errors import ApiError


class TextContent(LenientBody):
    type: Literal["text"]
    text: str


class RefusalContent(LenientBody):
    type: Literal["refusal"]
    refusal: str


class OtherContent(LenientBody):
    "What a text model cannot take: refused by name."

    type: Literal["image_url", "input_audio", "file"]


Content = Annotated[TextContent | RefusalContent | OtherContent, Field(discriminator="type")]


class Called(LenientBody):
    name: str
    arguments: str


class CustomCalled(LenientBody):
    name: str
    input: str


class FunctionCall(LenientBody):
    id: str
    type: Literal["function"] = "function"
    function: Called

    def part(self) -> Part:
        return tool_call_part(self.function.name, self.function.arguments, self.id)


class CustomCall(LenientBody):
    id: str
    type: Literal["custom"]
    custom: CustomCalled

    def part(self) -> Part:
        return ToolCallPart(self.custom.name, {"input": self.custom.input}, self.id)


class Instruction(LenientBody):
    role: Literal["system", "developer"]
    content: str | list[Content]

    def message(self) -> Message:
        return Message(self.role, [TextPart(text_of(self.content))])


class UserMessage(LenientBody):
    role: Literal["user"]
    content: str | list[Content]

    def message(self) -> Message:
        return Message("user", [TextPart(text_of(self.content))])


class AssistantMessage(LenientBody):
    "`audio` would stand for a message that is not here; `function_call` is what came before `tool_calls`."

    role: Literal["assistant"]
    content: str | list[Content] | None = None
    reasoning: str | None = None
    reasoning_content: str | None = None
    refusal: str | None = None
    tool_calls: list[FunctionCall | CustomCall] | None = None
    function_call: Called | None = None
    audio: None = None

    def message(self) -> Message:
        return Message("assistant", list(self._parts()))

    def _parts(self) -> Iterator[Part]:
        if reasoning := self.reasoning or self.reasoning_content:
            yield ReasoningPart(reasoning)
        if text := text_of(self.content) or self.refusal:
            yield TextPart(text)
        for call in self.tool_calls or ():
            yield call.part()
        if called := self.function_call:
            yield tool_call_part(called.name, called.arguments, "")


class ToolMessage(LenientBody):
    role: Literal["tool"]
    content: str | list[Content] | None
    tool_call_id: str
    name: str | None = None

    def message(self) -> Message:
        result = ToolResultPart(self.name or "", text_of(self.content), self.tool_call_id)
        return Message("tool", [result])


class FunctionMessage(LenientBody):
    role: Literal["function"]
    content: str | None
    name: str

    def message(self) -> Message:
        return Message("tool", [ToolResultPart(self.name, self.content or "", "")])


AnyMessage = Annotated[
    Instruction | UserMessage | AssistantMessage | ToolMessage | FunctionMessage, Field(discriminator="role")
]


def messages(sent: Iterable[AnyMessage]) -> Iterator[Message]:
    "llm's messages. A tool's result gets the name of the tool that its call id stands for."
    names: dict[str | None, str] = {}
    for message in sent:
        said = message.message()
        for part in said.parts:
            match part:
                case ToolCallPart(name=name, tool_call_id=call_id):
                    names[call_id] = name
                case ToolResultPart(tool_call_id=call_id):
                    part.name = part.name or names.get(call_id, "")
        yield said


def text_of(content: str | Iterable[Content] | None) -> str:
    "The text of a message's content. Raises ApiError for what is no text."
    if content is None or isinstance(content, str):
        return content or ""
    texts = []
    for part in content:
        match part:
            case TextContent(text=text) | RefusalContent(refusal=text):
                texts.append(text)
            case _:
                raise ApiError(
                    400,
                    f"gpt-oss reads text only: it cannot take a part of type '{part.type}'.",
                    code="unsupported_content_type",
                    param="messages",
                )
    return "\n".join(texts)
