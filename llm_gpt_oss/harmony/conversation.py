"""What a harmony conversation is made of.

The format is described in openai/harmony, `docs/format.md`.
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
    """Who speaks, to whom, where, in what form.

    `name` is the author of a tool message (`functions.get_weather`), `recipient` is given without `to=`,
    `content_type` as it stands in the header (`<|constrain|>json`, `code`).
    """

    role: Role
    channel: str | None = None
    recipient: str | None = None
    content_type: str | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Message:
    "A header and the text under it. The text is what was said, markers not yet neutralised."

    header: Header
    text: str


@dataclass(frozen=True, slots=True)
class Tool:
    "A function that the model may call. `parameters` is a JSON schema; None: it takes no arguments."

    name: str
    description: str | None = None
    parameters: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class ResponseFormat:
    "A JSON schema that the answer has to fit, shown to the model under its name."

    name: str
    schema: dict[str, Any]
    description: str | None = None


@dataclass(frozen=True, slots=True)
class System:
    "The first message: identity, dates, effort, channels. None leaves a line out."

    identity: str | None = IDENTITY
    knowledge_cutoff: str | None = KNOWLEDGE_CUTOFF
    current_date: str | None = None
    effort: Effort | None = "medium"
    channels: tuple[str, ...] = CHANNELS


@dataclass(frozen=True, slots=True)
class Developer:
    "The developer message: instructions, tools, response formats. Rendered only if there is something in it."

    instructions: str | None = None
    tools: tuple[Tool, ...] = ()
    formats: tuple[ResponseFormat, ...] = ()


@dataclass(frozen=True, slots=True)
class Conversation:
    "All that the model is shown before it speaks. `system` None leaves the system message out."

    system: System | None
    developer: Developer
    messages: tuple[Message, ...]
