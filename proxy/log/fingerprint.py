"""A conversation as its client sees it: what a stateless client sends back, whatever it leaves out.

Reasoning, ids, how arguments were written, and white space around an answer are no part of it, nor is how an
assistant's words and calls were cut into messages: so a client that drops or rewrites them is still found to
go on with the conversation that it goes on with.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import takewhile
from typing import Any

from llm.logs import content_hash
from llm.parts import Message, TextPart, ToolCallPart, ToolResultPart

from llm_gpt_oss.turn.messages import INSTRUCTION_ROLES, METADATA

# Neighbours of these roles are one: results of several calls may come in one message or in several.
JOINED = ("assistant", "tool")


def count_instructions(messages: Sequence[Message]) -> int:
    "How many messages at the head instruct: apart, since agents write the time of day into them."
    return len(list(takewhile(lambda message: message.role in INSTRUCTION_ROLES, messages)))


def prefix_hashes(messages: Sequence[Message]) -> Iterator[str | None]:
    """For each message, a hash of the conversation up to it; None until something is to be seen.

    A message in which nothing is to be seen, such as an answer that broke off while the model was thinking,
    changes nothing.
    """
    tip: str | None = None
    before: str | None = None
    run: list[Message] = []
    for message in messages:
        if not (run and message.role in JOINED and message.role == run[0].role):
            before, run = tip, []
        run.append(message)
        said = _said(run)
        tip = content_hash([before, run[0].role, *said]) if any(said) else before
        yield tip


def looks_same(one: Message, other: Message) -> bool:
    "Whether a client sees the same."
    return [*prefix_hashes([one])] == [*prefix_hashes([other])]


def tool_calls(messages: Sequence[Message]) -> list[ToolCallPart]:
    return [part for message in messages for part in message.parts if isinstance(part, ToolCallPart)]


def _said(run: Sequence[Message]) -> tuple[str, list[Any]]:
    text, made, came = "", [], []
    for message in run:
        for part in message.parts:
            match part:
                case TextPart():
                    text += part.text
                case ToolCallPart():
                    made.append([part.name, part.arguments or _unreadable(part)])
                case ToolResultPart():
                    came.append([part.name, part.output])
    return text.strip() if run[0].role == "assistant" else text, made + came


def _unreadable(part: ToolCallPart) -> Any:
    "Arguments that are no JSON object are told apart by their text."
    text = str((part.provider_metadata or {}).get(METADATA, {}).get("arguments", "")).strip()
    return text if text.replace(" ", "") != "{}" else ""
