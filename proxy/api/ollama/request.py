"""What a client of Ollama's API asks a model, as a GenerationRequest. It is only for the log: Ollama answers.

Types are those of Ollama's `api/types.go`. Invalid requests are not refused here, because Ollama does that.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import llm
from llm.parts import Message, Part, ReasoningPart, TextPart, ToolCallPart, ToolResultPart
from pydantic import BaseModel, Field

from ...generation import GenerationRequest


class FunctionCall(BaseModel):
    name: str
    arguments: dict[str, Any] = Field(default_factory=dict)


class ToolCall(BaseModel):
    id: str | None = None
    function: FunctionCall


class ChatMessage(BaseModel):
    role: str = "assistant"
    content: str | None = None
    thinking: str | None = None
    tool_calls: list[ToolCall] | None = None
    tool_name: str | None = None
    tool_call_id: str | None = None

    def to_message(self) -> Message:
        if self.role == "tool":
            result = ToolResultPart(self.tool_name or "", self.content or "", self.tool_call_id)
            return Message("tool", [result])
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

    def to_messages(self) -> list[Message]:
        return [message.to_message() for message in self.messages or ()]


class GenerateBody(Body):
    prompt: str | None = None
    system: str | None = None

    def to_messages(self) -> list[Message]:
        texts = {"system": self.system, "user": self.prompt} if self.prompt else {}
        return [Message(role, [TextPart(text)]) for role, text in texts.items() if text]


LOGGED_ENDPOINTS: dict[str, type[ChatBody | GenerateBody]] = {
    "/api/chat": ChatBody,
    "/api/generate": GenerateBody,
}


def logged_generation(endpoint: str, data: Any) -> GenerationRequest | None:
    """Return the generation to log of a request with this body, as JSON, or None if there is nothing to log.

    There is nothing for another endpoint, a request without messages, and an invalid body.
    """
    try:
        request = LOGGED_ENDPOINTS[endpoint].model_validate(data)
    except (KeyError, ValueError):
        return None
    if not (messages := request.to_messages()):
        return None
    functions = [tool.function for tool in request.tools or ()]
    think = {} if request.think is None else {"think": request.think}
    return GenerationRequest(
        endpoint,
        request.model,
        tuple(messages),
        tuple(
            llm.Tool(function.name, function.description, function.parameters or {}) for function in functions
        ),
        schema=request.format if isinstance(request.format, dict) and request.format else None,
        options={**(request.options or {}), **think},
        stream=request.stream is not False,
    )
