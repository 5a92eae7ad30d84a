"""Reads a conversation in OpenAI's format for fine-tuning, and splits it into turns.

Each answer in it becomes a turn whose prompt is all messages before it, as if a client of chat completions
had sent them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

from llm.parts import Message

from ..api.chat_completions.request import ChatRequest
from ..log.fingerprint import tool_calls
from ..log.ids import new_id
from ..log.turn import RequestRecord
from .imported_turn import CLIENT, ImportedTurn

FIELDS = ("messages", "tools", "functions", "parallel_tool_calls")


def chat_turns(line: Mapping[str, Any], model: str) -> Iterator[ImportedTurn]:
    """Yield the turns of a conversation, with new ids and the current time.

    Raises ValueError or ApiError for a conversation that chat completions would not accept, and for one that
    does not end with an answer.
    """
    body = {"model": model, **{name: line[name] for name in FIELDS if line.get(name) is not None}}
    generation = ChatRequest.model_validate(body).generation_request()
    messages = generation.messages
    if messages[-1].role != "assistant":
        raise ValueError("the last message is not the assistant's")
    options = {name: value for name, value in generation.options.items() if name == "parallel_tool_calls"}
    for start, end in _answers(messages):
        yield ImportedTurn(
            new_id(),
            model,
            messages[:start],
            messages[start:end],
            RequestRecord(
                generation.endpoint,
                body="",
                client=CLIENT,
                status=200,
                error=None,
                finish_reason="tool_calls" if tool_calls(messages[start:end]) else "stop",
                model=model,
                sent=range(start, 0, -1),
                custom_calls=sorted(generation.custom_calls),
                parsed={**body, "messages": body["messages"][:start]},
            ),
            datetime.now(timezone.utc),
            tools=generation.tools,
            options=options,
        )


def _answers(messages: Sequence[Message]) -> Iterator[tuple[int, int]]:
    "Yield where each answer begins and ends. Consecutive messages of the assistant are one answer."
    start = None
    for index, message in enumerate(messages):
        if message.role != "assistant":
            if start is not None:
                yield start, index
            start = None
        elif start is None:
            start = index
    if start is not None:
        yield start, len(messages)
