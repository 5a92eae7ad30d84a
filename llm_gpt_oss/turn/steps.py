"""The steps of a turn, the prompt of each, and which one comes first.

A turn is a sequence of steps. Each is one completion. Its type says where its prompt ends:

    free     after the assistant's name: the model opens messages itself
    think    inside a reasoning message, which ends by itself or at the budget
    name     inside the header of a call, before the tool's name
    call     inside a call: a grammar constrains the arguments by the tool's schema
    answer   inside the answer: constrained by the requested schema, ended by the requested stop strings

A plain prompt takes one free step. A reasoning budget, a required call, a schema or stop strings add steps
before or after it, and so does a free step without a usable result (`turn.machine`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from typing import Literal

from ..completion import Json
from ..harmony.conversation import Conversation, Header, Message
from ..harmony.markers import CHANNEL, MESSAGE, START, neutralise
from ..harmony.prompt import OPENER, render, render_header, render_message
from ..harmony.recipient import tool_on_offer
from .messages import call_header
from .request import TurnRequest

ANALYSIS = Header("assistant", "analysis")
FINAL = Header("assistant", "final")

# Stops a step where the model begins another message. END would also stop at text that spells it out, and
# with a longer stop string, engines would hold other markers back and join them with text.
NEXT_MESSAGE = START
ANSWER_OPENER = f"{CHANNEL}final"
TOOL_NAME_OPENER = f"{OPENER}{CHANNEL}commentary to=functions"

# How many characters of an unknown tool's name are compared with each tool's: it may be a long text.
_MAX_NAME = 100


@dataclass(frozen=True, slots=True)
class Step:
    """One completion.

    With a `header`, the prompt ends inside a message that has this header, after `prefix`. Without one, it
    ends before a header. `format` and `stop` are those of the completion. `max_tokens` limits this step only.
    """

    type: Literal["free", "think", "name", "call", "answer"]
    header: Header | None = None
    prefix: str = ""
    format: Json | None = None
    stop: tuple[str, ...] = ()
    max_tokens: int | None = None

    @property
    def answer_follows(self) -> bool:
        "Whether the answer gets a step of its own, so that this step ends where the model begins it."
        return ANSWER_OPENER in self.stop


def opening(request: TurnRequest) -> Step:
    "Return the first step of a turn."
    if request.continue_final_message:
        return _continuation(request)
    if request.uses_reasoning and (request.required_tools or request.reasoning_budget is not None):
        return Step("think", ANALYSIS, stop=(NEXT_MESSAGE,), max_tokens=request.reasoning_budget)
    return after_reasoning(request)


def after_reasoning(request: TurnRequest) -> Step:
    "Return the step that follows a `think` step, or that comes first if none is needed."
    if len(request.required_tools) == 1:
        return tool_call(request.required_tools[0], request.tools[request.required_tools[0]])
    if request.required_tools:
        return Step("name", stop=(MESSAGE,))
    if not can_reason(request) and not request.tools:
        return final_answer(request)
    return Step("free", stop=_answer_opener(request))


def can_reason(request: TurnRequest) -> bool:
    "Whether the model may reason as long as it likes in a `free` step."
    return request.uses_reasoning and request.reasoning_budget is None


def tool_call(name: str, parameters: Json | None) -> Step:
    "Return the step for the arguments of this tool."
    return Step("call", call_header(name), format=parameters or {"type": "object"})


def final_answer(request: TurnRequest) -> Step:
    "Return the step for the answer."
    return Step("answer", FINAL, format=request.format, stop=request.stop)


def _continuation(request: TurnRequest) -> Step:
    last = request.conversation.messages[-1]
    if last.header.channel == "analysis" and (request.required_tools or request.reasoning_budget is not None):
        return Step(
            "think", last.header, last.text, stop=(NEXT_MESSAGE,), max_tokens=request.reasoning_budget
        )
    if last.header.channel != "final":
        return Step("free", last.header, last.text, stop=_answer_opener(request))
    # Without `format`: a grammar cannot continue in the middle of a text.
    return Step("answer", last.header, last.text, stop=request.stop)


def _answer_opener(request: TurnRequest) -> tuple[str, ...]:
    "The stop string of a free step whose answer gets a step of its own."
    return (ANSWER_OPENER,) if request.format or request.stop else ()


def tool_name(text: str) -> str:
    "Return the tool's name in the text that a `name` step wrote after `functions`, or an empty string."
    return (text.partition("<")[0].split() or [""])[0].lstrip(".")


def closest_tool(name: str, allowed: Sequence[str]) -> str:
    "Return the allowed tool that this name means, or the one whose name is most similar to it."
    if tool := tool_on_offer(name, allowed):
        return tool
    start = name[:_MAX_NAME]
    return max(allowed, key=lambda tool: SequenceMatcher(None, start, tool).ratio())


def conversation_text(conversation: Conversation, *, continue_final_message: bool) -> str:
    """Return the part of a prompt that is the same for all steps of a turn.

    With `continue_final_message`, the opening of the first step replaces the last message.
    """
    if continue_final_message:
        conversation = replace(conversation, messages=conversation.messages[:-1])
    return render(conversation)


def step_prompt(step: Step, conversation: str, new_messages: Sequence[Message]) -> str:
    """Return the text to complete: the conversation, the new messages of this turn, and the step's opening.

    `conversation` is a `conversation_text`.
    """
    start = conversation + "".join(map(render_message, new_messages))
    if step.type == "name":
        return start + TOOL_NAME_OPENER
    return start + (render_header(step.header) + neutralise(step.prefix) if step.header else OPENER)
