"The result of a prompt, sync or async, as one value that tests can compare."

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import llm
from llm.parts import Message, ReasoningPart


@dataclass(frozen=True)
class Turn:
    "`tokens` are prompt, completion and reasoning tokens, `calls` are names with arguments."

    text: str
    reasoning: str
    calls: list[tuple[str, dict[str, Any]]]
    tokens: tuple[int | None, int | None, int]
    finish_reason: str
    notes: list[dict[str, str]]
    completions: int

    @property
    def kinds(self) -> list[str]:
        return [note["kind"] for note in self.notes]


def turn(response: llm.Response) -> Turn:
    return _turn(response, response.text(), response.messages(), response.tool_calls())


async def aturn(response: llm.AsyncResponse) -> Turn:
    return _turn(response, await response.text(), await response.messages(), await response.tool_calls())


def _turn(
    response: llm.Response | llm.AsyncResponse,
    text: str,
    messages: Sequence[Message],
    calls: list[llm.ToolCall],
) -> Turn:
    parts = [part for message in messages for part in message.parts]
    return Turn(
        text,
        "".join(part.text for part in parts if isinstance(part, ReasoningPart)),
        [(call.name, call.arguments) for call in calls],
        (response.input_tokens, response.output_tokens, response.token_details["reasoning_tokens"]),
        response.response_json["outcome"]["finish_reason"],
        response.response_json["outcome"]["notes"],
        response.response_json["completions"],
    )
