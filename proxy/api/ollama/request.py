"""What a client of Ollama's API asks a model, in llm's words: for the log, since Ollama itself answers it.

Types as in Ollama's `api/types.go`. What cannot be read is not refused here: that is Ollama's to do.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import llm
from llm.parts import Message, Part, ReasoningPart, TextPart, ToolCallPart, ToolResultPart
from pydantic import BaseModel, Field

from llm_gpt_oss.turn.strict_json import parse_json

from ...generation import GenerationRequest


class Function(BaseModel):
    name: str
    arguments: dict[str, Any] = Field(default_factory=dict)


class ToolCall(BaseModel):
    id: str | None = None
    function: Function


class ChatMessage(BaseModel):
    "A message of a chat."

    role: str = "assistant"
    content: str | None = None
    thinking: str | None = None
    tool_calls: list[ToolCall] | None = None
    tool_name: str | None = None
    tool_call_id: str | None = None

    def message(self) -> Message:
        if self.role == "tool":
            return Message(
                "tool", [ToolResultPart(self.tool_name or "", self.content or "", self.tool_call_id)]
            )
        return Message(self.role, list(self._parts()))

    def _parts(self) -> Iterator[Part]:
        if self.thinking:
            yield ReasoningPart(self.thinking)
        if self.content:
            yield TextPart(self.content)
        for call in self.tool_calls or ():
            yield ToolCallPart(call.function.name, call.function.arguments, call.id)


class FunctionDeclaration(BaseModel):
    name: str
    description: str | None = None
    parameters: dict[str, Any] | None = None


class Tool(BaseModel):
    function: FunctionDeclaration


class Body(BaseModel):
    model: str
    format: Any = None
    think: Any = None
    stream: bool | None = None
    options: dict[str, Any] | None = None
    tools: list[Tool] | None = None


class ChatBody(Body):
    messages: list[ChatMessage] | None = None

    def said(self) -> list[Message]:
        return [message.message() for message in self.messages or ()]


class GenerateBody(Body):
    prompt: str | None = None
    system: str | None = None

    def said(self) -> list[Message]:
        texts = {"system": self.system, "user": self.prompt} if self.prompt else {}
        return [Message(role, [TextPart(text)]) for role, text in texts.items() if text]


LOGGED_ENDPOINTS: dict[str, type[ChatBody | GenerateBody]] = {
    "/api/chat": ChatBody,
    "/api/generate": GenerateBody,
}


def logged_generation(endpoint: str, body: bytes) -> GenerationRequest | None:
    "None where nothing is said to a model: another endpoint, a model only loaded, a body of another form."
    try:
        read = LOGGED_ENDPOINTS[endpoint].model_validate(parse_json(body))
    except (KeyError, ValueError):
        return None
    if not (messages := read.said()):
        return None
    functions = [tool.function for tool in read.tools or ()]
    return GenerationRequest(
        endpoint,
        read.model,
        tuple(messages),
        tuple(llm.Tool(each.name, each.description, each.parameters or {}) for each in functions),
        schema=read.format if isinstance(read.format, dict) and read.format else None,
        options={**(read.options or {}), **({} if read.think is None else {"think": read.think})},
        stream=read.stream is not False,
    )
