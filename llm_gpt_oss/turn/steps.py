"""The completions that a turn can be made of, and which comes first.

A turn is a row of steps. Each is one completion, and its kind says where its prompt ends and what may follow:

    free     at the assistant's name: the model opens its own messages
    think    inside a reasoning message, up to its end or to the budget
    name     inside the header of a call, before the tool's name
    call     inside a call: the arguments, bound by the tool's schema
    answer   inside the answer: bound by the schema that was asked for, ended by the stop strings that were

A plain prompt is one free step. Reasoning that has to be kept apart, a forced call, a schema or stop strings
put others before or behind it, and so does a free step that went wrong (`plan`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

from ..completion import Json
from ..harmony.conversation import Conversation, Header, Message
from ..harmony.markers import CHANNEL, END, MESSAGE, START, neutralise
from ..harmony.prompt import OPENER, render, render_header, render_message
from .messages import call_header
from .request import TurnRequest

ANALYSIS = Header("assistant", "analysis")
FINAL = Header("assistant", "final")

# Reasoning ends where a next message begins. END alone would also match where the model spells it out.
NEXT_MESSAGE = END + START
TOOL_NAME_OPENER = f"{OPENER}{CHANNEL}commentary to=functions"


@dataclass(frozen=True, slots=True)
class Step:
    """One completion: the message that its prompt leaves open, with the text already there, and its bounds.

    `limit` is the most tokens for this step alone.
    """

    type: Literal["free", "think", "name", "call", "answer"]
    header: Header | None = None
    prefix: str = ""
    format: Json | None = None
    stop: tuple[str, ...] = ()
    max_tokens: int | None = None


def opening(request: TurnRequest) -> Step:
    if request.continue_final_message:
        return _continuation(request)
    if request.uses_reasoning and (request.required_tools or request.reasoning_budget is not None):
        return Step("think", ANALYSIS, stop=(NEXT_MESSAGE,), max_tokens=request.reasoning_budget)
    return after_reasoning(request)


def after_reasoning(request: TurnRequest) -> Step:
    "What comes once the reasoning is over, or is the model's own affair."
    if len(request.required_tools) == 1:
        return tool_call(request.required_tools[0], request.tools.get(request.required_tools[0]))
    if request.required_tools:
        return Step("name", stop=(MESSAGE,))
    may_think = request.uses_reasoning and request.reasoning_budget is None
    if not may_think and not request.tools:
        return final_answer(request)
    # What the model must not write by itself ends the step: the answer is then opened in a step of its own.
    apart = [f"{CHANNEL}final"] if request.format or request.stop else []
    return Step("free", stop=(*apart, *([] if may_think else [f"{CHANNEL}analysis"])))


def tool_call(name: str, parameters: Json | None) -> Step:
    return Step("call", call_header(name), format=parameters or {"type": "object"})


def final_answer(request: TurnRequest, begun: str = "") -> Step:
    # A grammar ends the text by itself. Without one the model may end the message and begin another.
    stop = request.stop if request.format else (*request.stop, NEXT_MESSAGE)
    return Step("answer", FINAL, begun, format=request.format, stop=stop)


def _continuation(request: TurnRequest) -> Step:
    last = request.conversation.messages[-1]
    if last.header.channel == "analysis" and (request.required_tools or request.reasoning_budget is not None):
        return Step(
            "think", last.header, last.text, stop=(NEXT_MESSAGE,), max_tokens=request.reasoning_budget
        )
    if last.header.channel != "final":
        return Step(
            "free",
            last.header,
            last.text,
            stop=(f"{CHANNEL}final",) if request.format or request.stop else (),
        )
    # No grammar can take up a text in its middle.
    return Step("answer", last.header, last.text, stop=(*request.stop, NEXT_MESSAGE))


def tool_name(text: str) -> str:
    "The tool's name in what the model wrote after `functions`."
    return (text.partition("<")[0].split() or [""])[0].lstrip(".")


def closest_tool(name: str, allowed: Sequence[str]) -> str:
    "The allowed tool that the model means by this name."
    return max(allowed, key=lambda tool: SequenceMatcher(None, name, tool).ratio())


def step_prompt(
    step: Step, conversation: Conversation, new_messages: Sequence[Message], *, continue_final_message: bool
) -> str:
    "The text to complete: the conversation, what was `said` in this turn so far, and where the step begins."
    if continue_final_message:
        conversation = _without_last(conversation)
    start = render(conversation) + "".join(map(render_message, new_messages))
    if step.type == "name":
        return start + TOOL_NAME_OPENER
    return start + (render_header(step.header) + neutralise(step.prefix) if step.header else OPENER)


def _without_last(conversation: Conversation) -> Conversation:
    return Conversation(conversation.system, conversation.developer, conversation.messages[:-1])
