"""The types of a harmony conversation: messages, their headers, and the contents of the first two messages.

The format is described in `docs/format.md` of openai/harmony.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Role = Literal["system", "developer", "user", "assistant", "tool"]
Effort = Literal["low", "medium", "high"]

IDENTITY = "You are ChatGPT, a large language model trained by OpenAI."
KNOWLEDGE_CUTOFF = "2024-06"
CHANNELS = ("analysis", "commentary", "final")


@dataclass(frozen=True, slots=True)
class Header:
    """The header of a message: author, channel, recipient and content type.

    `name` is the author of a tool message, such as `functions.get_weather`. `recipient` comes without `to=`.
    `content_type` is written as in the header, such as `<|constrain|>json` or `code`.
    """

    role: Role
    channel: str | None = None
    recipient: str | None = None
    content_type: str | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Message:
    "A header and a text. The text is the original one: rendering neutralises special tokens in it."

    header: Header
    text: str


@dataclass(frozen=True, slots=True)
class Tool:
    "A function that the model may call. `parameters` is a JSON schema, or None if it takes no arguments."

    name: str
    description: str | None = None
    parameters: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class ResponseFormat:
    "A named JSON schema for the answer. The prompt shows it to the model."

    name: str
    schema: dict[str, Any]
    description: str | None = None


@dataclass(frozen=True, slots=True)
class System:
    "The contents of the system message. None leaves the line out."

    identity: str | None = IDENTITY
    knowledge_cutoff: str | None = KNOWLEDGE_CUTOFF
    current_date: str | None = None
    effort: Effort | None = "medium"
    channels: tuple[str, ...] = CHANNELS


@dataclass(frozen=True, slots=True)
class Developer:
    "The contents of the developer message, which is left out if all of them are empty."

    instructions: str | None = None
    tools: tuple[Tool, ...] = ()
    formats: tuple[ResponseFormat, ...] = ()


@dataclass(frozen=True, slots=True)
class Conversation:
    "Everything that a prompt shows the model. If `system` is None, there is no system message."

    system: System | None
    developer: Developer
    messages: tuple[Message, ...]
