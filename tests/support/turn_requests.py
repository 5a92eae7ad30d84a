"What tests want of a turn, in few words: a wish, and its turn played on a script."

from __future__ import annotations

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

# How a prompt ends, or the model goes on.
START = "<|start|>assistant"
THOUGHT = "<|channel|>analysis<|message|>"
FINAL = "<|channel|>final<|message|>"
PREAMBLE = "<|channel|>commentary<|message|>"
NO_THOUGHT = f"{START}{THOUGHT}<|end|>"
NEXT = "<|end|><|start|>"
AT_FINAL, AT_THOUGHT = "<|channel|>final", "<|channel|>analysis"


def calling(name: str = "get_weather") -> str:
    return f"<|channel|>commentary to=functions.{name} <|constrain|>json<|message|>"


WEATHER = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
ADD = {
    "type": "object",
    "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
    "required": ["a", "b"],
}
TOOLS = {"get_weather": WEATHER, "add": ADD, "now": None}
ANY = {"type": "object"}
PERSON = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}


def user(text: str) -> Message:
    return Message(Header("user"), text)


def assistant(text: str, channel: str = "final") -> Message:
    return Message(Header("assistant", channel), text)


def wish(*messages: Message, max_tokens: int | None = None, **wanted: Any) -> TurnRequest:
    "Of one message, unless others are given; `top_logprobs` and `seed` go to the completions."
    bounds = Completion(
        "gpt-oss:20b",
        prompt="",
        max_tokens=max_tokens,
        top_logprobs=wanted.pop("top_logprobs", None),
        context_length=4096,
        keep_alive="1h",
        sampling=Sampling(temperature=0.5, seed=wanted.pop("seed", None)),
    )
    conversation = Conversation(
        System(current_date="2026-11-22", effort=wanted.pop("effort", "medium")),
        Developer("Be brief."),
        messages or (user("Warm in Oslo?"),),
    )
    return TurnRequest(conversation, bounds, **wanted)


@dataclass
class Turn:
    "`said` are the parts of the turn as far as it came: (channel, text), or (name of the tool, arguments)."

    wish: TurnRequest
    plan: TurnMachine
    engine: ScriptedEngine
    out: list[Text | ToolCall] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    error: GptOssError | None = None

    @property
    def said(self) -> list[tuple[str, Any]]:
        return folded(self.out)

    @property
    def tails(self) -> list[str]:
        "What each prompt has behind the conversation that it was asked for."
        conversation = self.wish.conversation
        if self.wish.continue_final_message:
            messages = conversation.messages[:-1]
            conversation = Conversation(conversation.system, conversation.developer, messages)
        start = render(conversation)
        assert all(asked.prompt.startswith(start) for asked in self.engine.asked)
        return [asked.prompt.removeprefix(start) for asked in self.engine.asked]

    @property
    def notes(self) -> list[str]:
        return [note.kind for note in self.plan.notes]


def folded(out: list[Text | ToolCall]) -> list[tuple[str, Any]]:
    said: dict[int, tuple[str, Any]] = {}
    for item in out:
        match item:
            case Text(message, channel, text):
                before = said.get(message, (channel, ""))
                assert before[0] == channel
                said[message] = (channel, before[1] + text)
            case ToolCall(message, name, arguments):
                assert message not in said
                said[message] = (name, arguments.value)
    return list(said.values())


def played(wanted: TurnRequest, *script: Part) -> Turn:
    "The whole turn; an error that ends it is kept."
    turn = Turn(wanted, TurnMachine(wanted), ScriptedEngine(*script))
    while (completion := turn.plan.next_completion()) is not None:
        try:
            for item in turn.engine.complete(completion):
                for out in turn.plan.feed(item):
                    turn.out.append(out)
        except GptOssError as error:
            try:
                turn.waits.append(turn.plan.on_error(error))
            except GptOssError as last:
                turn.error = last
                return turn
    return turn
