"""What all endpoints have in common: a question for the model, and how it ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import llm
from llm.parts import Message


@dataclass(frozen=True, slots=True)
class Ask:
    """What the model is asked, in llm's words.

    `endpoint` and `model` are as the client wrote them; `options` are the plugin's. `custom` names the tools
    whose one argument is free text. `stored` is whether the client wants the turn kept.
    """

    endpoint: str
    model: str
    messages: tuple[Message, ...]
    tools: tuple[llm.Tool, ...] = ()
    custom: frozenset[str] = frozenset()
    schema: Mapping[str, Any] | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    stream: bool = False
    stored: bool = False
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Usage:
    prompt_tokens: int
    completion_tokens: int
    reasoning_tokens: int


@dataclass(frozen=True, slots=True)
class Finished:
    """The turn is over and logged. `reason` is `stop`, `length` or `tool_calls`; `completed_at` in
    seconds since 1970.
    """

    reason: str
    usage: Usage
    completed_at: int = 0
