"""Writes a conversation in OpenAI's format for fine-tuning: `{"messages": [...], "tools": [...]}`.

It is the format of chat completions, without the options of the request. OpenAI documents it as
`FineTuneChatRequestInput` (https://platform.openai.com/docs/api-reference/fine-tuning/chat-input).
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from typing import Any

import llm
from llm.parts import Message, ReasoningPart, TextPart, ToolCallPart, ToolResultPart

from llm_gpt_oss.turn.history import readable_messages
from llm_gpt_oss.turn.messages import arguments_text, author_name, output_text

from ..generation import CustomCall
from ..items.tools import custom_input
from ..log.logged_turn import LoggedTurn

Json = dict[str, Any]


def chat_line(turn: LoggedTurn, tools: Sequence[llm.Tool], *, reasoning: bool) -> Json:
    """Return the conversation that ends with this turn.

    Placeholder texts replace attachments, as in the prompts of gpt-oss. `reasoning` adds `reasoning_content`,
    which OpenAI does not have and several trainers read.
    """
    readable = readable_messages([stored.message for stored in (*turn.prompt, *turn.answer)])
    line: Json = {
        "messages": [entry for message in readable for entry in _entries(message, turn.custom, reasoning)]
    }
    if tools:
        line["tools"] = [_tool(tool) for tool in tools]
        if turn.body.get("parallel_tool_calls") is False:
            line["parallel_tool_calls"] = False
    return line


def _entries(message: Message, custom: Container[CustomCall], reasoning: bool) -> Iterator[Json]:
    if message.role == "assistant":
        yield _assistant(message, custom, reasoning)
    elif message.role != "tool":
        name = author_name(message)
        texts = [part.text for part in message.parts if isinstance(part, TextPart)]
        yield {"role": message.role, "content": "\n".join(texts), **({"name": name} if name else {})}
    for part in message.parts:
        if isinstance(part, ToolResultPart):
            yield {"role": "tool", "tool_call_id": part.tool_call_id or "", "content": output_text(part)}


def _assistant(message: Message, custom: Container[CustomCall], reasoning: bool) -> Json:
    text = "".join(part.text for part in message.parts if isinstance(part, TextPart))
    calls = [_call(part, custom) for part in message.parts if isinstance(part, ToolCallPart)]
    thoughts = "\n".join(
        part.text for part in message.parts if isinstance(part, ReasoningPart) and part.text and reasoning
    )
    entry: Json = {"role": "assistant"}
    if text or not calls:
        entry["content"] = text
    if thoughts:
        entry["reasoning_content"] = thoughts
    if calls:
        entry["tool_calls"] = calls
    return entry


def _call(part: ToolCallPart, custom: Container[CustomCall]) -> Json:
    call_id, arguments = part.tool_call_id or "", arguments_text(part).strip() or "{}"
    if (call_id, part.name) in custom:
        call = {"name": part.name, "input": custom_input(arguments)}
        return {"id": call_id, "type": "custom", "custom": call}
    return {"id": call_id, "type": "function", "function": {"name": part.name, "arguments": arguments}}


def _tool(tool: llm.Tool) -> Json:
    function: Json = {"name": tool.name}
    if tool.description:
        function["description"] = tool.description
    if tool.input_schema:
        function["parameters"] = tool.input_schema
    return {"type": "function", "function": function}
