"Short ways to build the request of a turn, and to play a turn with a scripted engine."

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

from llm_gpt_oss.completion import Completion, Sampling
from llm_gpt_oss.errors import GptOssError
from llm_gpt_oss.harmony.conversation import Conversation, Developer, Header, Message, System
from llm_gpt_oss.harmony.prompt import render
from llm_gpt_oss.turn.machine import TurnMachine
from llm_gpt_oss.turn.request import TurnRequest
from llm_gpt_oss.turn.transcript import Text, ToolCall
from support.scripted_engine import Part, ScriptedEngine

# What prompts end with, and what the model writes.
START = "<|start|>assistant"
THOUGHT = "<|channel|>analysis<|message|>"
FINAL = "<|channel|>final<|message|>"
PREAMBLE = "<|channel|>commentary<|message|>"
NO_THOUGHT = f"{START}{THOUGHT}<|end|>"
NEXT = "<|end|><|start|>"
AT_FINAL, AT_START = "<|channel|>final", "<|start|>"


def call_opener(name: str = "get_weather") -> str:
    "Return the header of a call, as the model writes it."
    return f"<|channel|>commentary to=functions.{name} <|constrain|>json<|message|>"


WEATHER = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
ADD = {
    "type": "object",
    "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
    "required": ["a", "b"],
}
TOOLS = {"get_weather": WEATHER, "add": ADD, "now": None}
ANY = {"type": "object"}
CITY = {"get_weather": WEATHER}
TWO = ("get_weather", "add")
PERSON = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}


def user(text: str) -> Message:
    return Message(Header("user"), text)


def assistant(text: str, channel: str = "final") -> Message:
    return Message(Header("assistant", channel), text)


# Texts of the model that end well, and the start of a prompt after reasoning.
THINKS = f"{THOUGHT}Hm.<|end|>{START}"
ANSWER = f"{THINKS}{FINAL}Yes."
AFTER_THOUGHT = f"{START}{THOUGHT}Hm.<|end|>{START}"
TOOL_NAME_OPENER = f"{START}<|channel|>commentary to=functions"

OSLO = {"city": "Oslo"}
BUFFERED = {"format": PERSON, "buffer_answer": True}
HISTORY = [user("a" * 100), assistant("b" * 100), user("c" * 100), assistant("d" * 100), user("e" * 100)]


def call_text(city: str = "Oslo", name: str = "get_weather") -> str:
    "Return a whole call, as the model writes it."
    return call_opener(name) + json.dumps({"city": city})


def build_request(*messages: Message, max_tokens: int | None = None, **fields: Any) -> TurnRequest:
    "Return a request with these messages, by default one. `top_logprobs` and `seed` are the completions'."
    defaults = Completion(
        "gpt-oss:20b",
        prompt="",
        max_tokens=max_tokens,
        top_logprobs=fields.pop("top_logprobs", None),
        context_length=4096,
        keep_alive="1h",
        sampling=Sampling(temperature=0.5, seed=fields.pop("seed", None)),
    )
    conversation = Conversation(
        System(current_date="2026-11-22", effort=fields.pop("effort", "medium")),
        Developer("Be brief."),
        messages or (user("Warm in Oslo?"),),
    )
    return TurnRequest(conversation, defaults, **fields)


@dataclass
class Turn:
    "A turn that was played to its end. `parts` are (channel, text) or (name of a tool, arguments)."

    request: TurnRequest
    machine: TurnMachine
    engine: ScriptedEngine
    output: list[Text | ToolCall] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    error: GptOssError | None = None

    @property
    def parts(self) -> list[tuple[str, Any]]:
        return join_texts(self.output)

    @property
    def completions(self) -> list[Completion]:
        return self.engine.asked

    @property
    def tails(self) -> list[str]:
        "The part of each prompt that follows the conversation of the request."
        conversation = self.request.conversation
        if self.request.continue_final_message:
            messages = conversation.messages[:-1]
            conversation = Conversation(conversation.system, conversation.developer, messages)
        start = render(conversation)
        assert all(completion.prompt.startswith(start) for completion in self.completions)
        return [completion.prompt.removeprefix(start) for completion in self.completions]

    @property
    def notes(self) -> list[str]:
        return [note.kind for note in self.machine.notes]


def limits(turn: Turn) -> list[tuple[Any, ...]]:
    "Return (format, stop, max_tokens) of each completion."
    return [(c.format, c.stop, c.max_tokens) for c in turn.completions]


def join_texts(items: list[Text | ToolCall]) -> list[tuple[str, Any]]:
    "Return a part for each message: (channel, text) or (name of a tool, arguments)."
    parts: dict[int, tuple[str, Any]] = {}
    for item in items:
        match item:
            case Text(message, channel, text):
                first_channel, text_so_far = parts.get(message, (channel, ""))
                assert first_channel == channel
                parts[message] = (channel, text_so_far + text)
            case ToolCall(message, name, arguments):
                assert message not in parts
                parts[message] = (name, arguments.value)
    return list(parts.values())


def play_turn(request: TurnRequest, *script: Part) -> Turn:
    "Play the turn to its end, or to the error that ends it."
    turn = Turn(request, TurnMachine(request), ScriptedEngine(*script))
    while (completion := turn.machine.next_completion()) is not None:
        try:
            with closing(turn.engine.complete(completion)) as items:
                for item in items:
                    turn.output += turn.machine.feed(item)
                    if turn.machine.completion_is_over:
                        break
        except GptOssError as error:
            try:
                turn.waits.append(turn.machine.on_error(error))
            except GptOssError as last:
                turn.error = last
                return turn
    return turn
