"""The model behind the clients of `tests/clients`: an engine that answers their questions.

It reads the prompt, reasons, and calls a tool that fits the question, or answers. After the tool's result it
answers. It obeys stop strings, and continues messages that the prompt has opened, so every way to request a
call or a schema works.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncGenerator
from typing import Any

from llm_gpt_oss.completion import Completion, Done, Piece
from support.scripted_engine import pieces

REASONING = "The user wants a short answer."
CAPITAL = "The capital of Peru is Lima."
WEATHER = "Sunny in Oslo"
FORECAST = "It is sunny in Oslo."
DOG = {"name": "Rex", "age": 3}
# The arguments of each tool that the model calls for the weather. Coding agents have a shell.
ARGUMENTS: dict[str, dict[str, Any]] = {
    "get_weather": {"city": "Oslo"},
    "Weather-get_weather": {"city": "Oslo"},
    "exec_command": {"cmd": f"echo {WEATHER}"},
    "shell_command": {"command": f"echo {WEATHER}"},
    "Bash": {"command": f"echo {WEATHER}", "description": "Print the weather"},
    "run_shell_command": {"command": f"echo {WEATHER}", "is_background": False},
    "bash": {"command": f"echo {WEATHER}", "description": "Print the weather"},
    "final_answer": {"answer": FORECAST},
}

ANALYSIS, FINAL = "<|channel|>analysis<|message|>", "<|channel|>final<|message|>"
TOOL = re.compile(r"^type ([^\s=]+) = ", re.MULTILINE)


class Model:
    "An `AsyncEngine`."

    async def complete(self, completion: Completion) -> AsyncGenerator[Piece | Done, None]:
        text = _until(_continuation(completion.prompt), completion.stop)
        items = pieces(text)
        for piece in items:
            await asyncio.sleep(0)
            yield piece
        yield Done("stop", prompt_tokens=len(completion.prompt) // 4, completion_tokens=len(items) + 1)


def _until(text: str, stop: tuple[str, ...]) -> str:
    return text[: min((at for string in stop if (at := text.find(string)) >= 0), default=len(text))]


def _continuation(prompt: str) -> str:
    "Return what the model writes after a prompt, which ends with the message that is open."
    history, _, opened = prompt.rpartition("<|start|>")
    tool, text = _reply(history)
    call = f".{tool} <|constrain|>json<|message|>{text}"
    message = f"<|channel|>commentary to=functions{call}" if tool else FINAL + text
    if opened.endswith(" to=functions"):
        return call
    if " to=functions." in opened:
        return _arguments(opened.partition(" to=functions.")[2].split()[0])
    if opened.endswith(FINAL):
        return text
    if opened.endswith(ANALYSIS):
        return f"{REASONING}<|end|><|start|>assistant{message}"
    if history.endswith(f"{ANALYSIS}{REASONING}<|end|>"):
        return message
    return f"{ANALYSIS}{REASONING}<|end|><|start|>assistant{message}"


def _reply(history: str) -> tuple[str | None, str]:
    "Return the tool that the model calls with its arguments, or None and the answer."
    tools = TOOL.findall(history)
    question = history.rpartition("<|start|>user")[2]
    if WEATHER in question:
        return ("final_answer", _arguments("final_answer")) if "final_answer" in tools else (None, FORECAST)
    if "weather" in question and (tool := next((each for each in tools if each in ARGUMENTS), None)):
        return tool, _arguments(tool)
    if "dog" in question:
        return next((each for each in tools if each not in ARGUMENTS), None), json.dumps(DOG)
    return None, CAPITAL


def _arguments(tool: str) -> str:
    return json.dumps(ARGUMENTS.get(tool, DOG))
