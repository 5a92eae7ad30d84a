"""Long conversations, in the form of each endpoint: what no single location of a body has.

A history is a list of turns in a form of its own, and each endpoint's writer makes a body of it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from .locations import MODEL, Json


class Turn(NamedTuple):
    "`role` is user, assistant, system, tool or calls. `id` is of a call, or of a result's call."

    role: str
    text: str = "x"
    id: str = "c"


History = Callable[[int], Sequence[Turn]]

# Each with as many turns as it is asked for.
HISTORIES: Mapping[str, History] = {
    "assistant messages in a row": lambda n: [Turn("assistant", f"x{i}") for i in range(n)],
    "equal assistant messages in a row": lambda n: [Turn("assistant")] * n,
    "empty assistant messages in a row": lambda n: [Turn("assistant", "")] * n,
    "user messages in a row": lambda n: [Turn("user", f"x{i}") for i in range(n)],
    "equal user messages in a row": lambda n: [Turn("user")] * n,
    "system messages in a row": lambda n: [Turn("system", f"x{i}") for i in range(n)],
    "users and assistants": lambda n: [Turn(("user", "assistant")[i % 2], f"x{i}") for i in range(n)],
    "systems and assistants": lambda n: [Turn(("system", "assistant")[i % 2], f"x{i}") for i in range(n)],
    "results in a row": lambda n: [Turn("tool", f"x{i}", f"c{i}") for i in range(n)],
    "results of one call": lambda n: [Turn("calls"), *[Turn("tool", f"x{i}") for i in range(n)]],
    "results without an id": lambda n: [Turn("tool", f"x{i}", "") for i in range(n)],
    "calls in a row": lambda n: [Turn("calls", "x", f"c{i}") for i in range(n)],
    "calls of one id in a row": lambda n: [Turn("calls")] * n,
    "calls without an id": lambda n: [Turn("calls", "x", "")] * n,
    "calls and results": lambda n: [Turn(("calls", "tool")[i % 2], "x", f"c{i // 2}") for i in range(n)],
    "calls and results of one id": lambda n: [Turn(("calls", "tool")[i % 2]) for i in range(n)],
    "calls, then results": lambda n: [
        *[Turn("calls", "x", f"c{i}") for i in range(n // 2)],
        *[Turn("tool", "x", f"c{i}") for i in range(n // 2)],
    ],
    "calls, then results in reverse": lambda n: [
        *[Turn("calls", "x", f"c{i}") for i in range(n // 2)],
        *[Turn("tool", "x", f"c{i}") for i in reversed(range(n // 2))],
    ],
    "calls, then results without ids": lambda n: [
        *[Turn("calls", "x", "") for _ in range(n // 2)],
        *[Turn("tool", "x", "") for _ in range(n // 2)],
    ],
    "questions and calls": lambda n: [
        Turn(("user", "calls", "tool")[i % 3], "x", f"c{i // 3}") for i in range(n)
    ],
}


def _chat(turns: Sequence[Turn]) -> Json:
    return {"model": MODEL, "messages": [*map(_chat_message, turns)]}


def _chat_message(turn: Turn) -> Json:
    match turn.role:
        case "calls":
            call = {"id": turn.id, "type": "function", "function": {"name": "x", "arguments": "{}"}}
            return {"role": "assistant", "tool_calls": [call]}
        case "tool":
            return {"role": "tool", "tool_call_id": turn.id, "content": turn.text}
    return {"role": turn.role, "content": turn.text}


def _chat_in_one_message(turns: Sequence[Turn]) -> Json:
    "All neighbouring calls are in one message."
    messages: list[Json] = []
    for message in map(_chat_message, turns):
        if "tool_calls" in message and messages and "tool_calls" in messages[-1]:
            messages[-1]["tool_calls"] += message["tool_calls"]
        else:
            messages.append(message)
    return {"model": MODEL, "messages": messages}


def _responses(turns: Sequence[Turn]) -> Json:
    def item(turn: Turn) -> Json:
        match turn.role:
            case "calls":
                return {"type": "function_call", "call_id": turn.id, "name": "x", "arguments": "{}"}
            case "tool":
                return {"type": "function_call_output", "call_id": turn.id, "output": turn.text}
        return {"role": turn.role, "content": turn.text}

    return {"model": MODEL, "input": [*map(item, turns)]}


def _anthropic(turns: Sequence[Turn]) -> Json:
    "All neighbouring calls are in one message, and so are all neighbouring results."
    messages: list[Json] = []
    for turn in turns:
        match turn.role:
            case "calls":
                role, block = "assistant", {"type": "tool_use", "id": turn.id, "name": "x", "input": {}}
            case "tool":
                role, block = "user", {"type": "tool_result", "tool_use_id": turn.id, "content": turn.text}
            case "system":
                role, block = "system", {"type": "text", "text": turn.text}
            case role:
                block = {"type": "text", "text": turn.text}
        if messages and messages[-1]["role"] == role and messages[-1]["content"][0]["type"] == block["type"]:
            messages[-1]["content"].append(block)
        else:
            messages.append({"role": role, "content": [block]})
    return {"model": MODEL, "max_tokens": 100, "messages": messages}


def _ollama(turns: Sequence[Turn]) -> Json:
    def message(turn: Turn) -> Json:
        match turn.role:
            case "calls":
                return {"role": "assistant", "tool_calls": [{"function": {"name": "x", "arguments": {}}}]}
            case "tool":
                return {"role": "tool", "tool_name": "x", "content": turn.text}
        return {"role": turn.role, "content": turn.text}

    return {"model": MODEL, "messages": [*map(message, turns)]}


def _harmony(turns: Sequence[Turn]) -> Json:
    "As programs send it that write the prompt themselves."
    headers = {"calls": "assistant<|channel|>commentary to=functions.x", "tool": "functions.x to=assistant"}
    texts = [
        f"<|start|>{headers.get(turn.role, turn.role)}<|message|>{turn.text}"
        + ("<|call|>" if turn.role == "calls" else "<|end|>")
        for turn in turns
    ]
    return {"model": MODEL, "raw": True, "prompt": "".join(texts) + "<|start|>assistant"}


WRITERS: Mapping[str, tuple[str, Callable[[Sequence[Turn]], Json]]] = {
    "chat": ("/v1/chat/completions", _chat),
    "chat, calls in one message": ("/v1/chat/completions", _chat_in_one_message),
    "responses": ("/v1/responses", _responses),
    "compact": ("/v1/responses/compact", _responses),
    "input_tokens": ("/v1/responses/input_tokens", _responses),
    "anthropic": ("/v1/messages", _anthropic),
    "count_tokens": ("/v1/messages/count_tokens", _anthropic),
    "ollama": ("/api/chat", _ollama),
    "harmony": ("/api/generate", _harmony),
}


def histories() -> Iterator[tuple[str, str, Callable[[int], bytes]]]:
    "The name of each, its path, and what makes a body of about a given size."
    for form, (path, write) in WRITERS.items():
        for name, history in HISTORIES.items():
            yield f"{form}: {name}", path, partial(_body, write, history)


def _body(write: Callable[[Sequence[Turn]], Json], history: History, size: int) -> bytes:
    sample = len(json.dumps(write(history(1000))))
    return json.dumps(write(history(1000 * size // sample))).encode()
