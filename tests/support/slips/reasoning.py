"Calls of a model that reasons although it may not, or has used up its budget. They are still calls."

from __future__ import annotations

from support.slips.row import CONTEXT_FULL, FINAL, NEXT, NONE, Cut, Request, Row, Want, spread
from support.slips.shapes import ARGUMENTS, CALL, OSLO, SCHEMA, STOPPED, TWO_TOOLS, WEATHER

START = "<|start|>assistant"
JSON = " <|constrain|>json"
ANALYSIS = "<|channel|>analysis"
# It fits a retry of the answer, and that of a call is not needed.
UNKNOWN = "I do not know.<|return|>"

AS_CODE = f"{ANALYSIS} to=functions.get_weather code<|message|>{ARGUMENTS}<|call|>"

# What the model writes where it must not reason.
CALLS = {
    "a call on the channel analysis": AS_CODE,
    "a call on the channel analysis, with a format": (
        f"{ANALYSIS} to=functions.get_weather{JSON}<|message|>{ARGUMENTS}<|call|>"
    ),
    "a call on the channel analysis, in the role": (
        f" to=functions.get_weather{ANALYSIS} code<|message|>{ARGUMENTS}<|call|>"
    ),
    "a call on the channel analysis, with no functions": (
        f"{ANALYSIS} to=get_weather code<|message|>{ARGUMENTS}<|call|>"
    ),
    "a call after a thought": f"{ANALYSIS}<|message|>I need it.{NEXT}{CALL}",
    "a call on the channel analysis after a thought": (f"{ANALYSIS}<|message|>I need it.{NEXT}{AS_CODE}"),
    "a call after two thoughts": (
        f"{ANALYSIS}<|message|>I need it.{NEXT}{ANALYSIS}<|message|>Now.{NEXT}{CALL}"
    ),
    "a call after an empty thought": f"{ANALYSIS}<|message|>{NEXT}{CALL}",
    "a call after a thought without an end": f"{ANALYSIS}<|message|>I need it.{START}{CALL}",
    "a call after a header without a message": f"{ANALYSIS}{NEXT}{CALL}",
    "a call after a preamble": f"<|channel|>commentary<|message|>Let me look.{NEXT}{CALL}",
    "a call at once": CALL,
}
# What comes before an answer there.
THOUGHTS = {
    "a thought": f"{ANALYSIS}<|message|>I need it.{NEXT}",
    "two thoughts": f"{ANALYSIS}<|message|>I need it.{NEXT}{ANALYSIS}<|message|>Now.{NEXT}",
    "a header without a message": f"{ANALYSIS}{NEXT}",
}
ORDERLY = {"a call at once", "a call after a preamble"}


def _calls(limit: str, request: Request, before: list[str | Cut]) -> list[Row]:
    shown = {"a call after a preamble": "Let me look."}
    return [
        Row(
            f"{limit}, {name}",
            [*before, text, UNKNOWN],
            Want(shown.get(name, ""), OSLO, notes=None, finish_reason="tool_calls"),
            request,
        )
        for name, text in CALLS.items()
    ]


def _answers(limit: str, request: Request, before: list[str | Cut]) -> list[Row]:
    return [
        Row(
            f"{limit}, {name} before the answer",
            [*before, f"{text}{FINAL}The answer<|return|>", "The answer<|return|>"],
            Want("The answer", notes=None, finish_reason="stop"),
            request,
        )
        for name, text in THOUGHTS.items()
    ]


USED_UP: list[str | Cut] = [Cut("Think of")]
ENDED: list[str | Cut] = [f"Think.{NEXT}"]
NO_EFFORT = Request(WEATHER, effort="none")
BUDGET = Request(WEATHER, budget=2)

ROWS = [
    *spread(
        [
            *_calls("effort none", NO_EFFORT, []),
            *_calls("a used-up budget", BUDGET, USED_UP),
            *_calls("a budget of 0", Request(WEATHER, budget=0), []),
            *_answers("effort none", NO_EFFORT, []),
            *_answers("a used-up budget", BUDGET, USED_UP),
        ],
        7,
    ),
    *(
        Row(
            f"effort none and two tools, {name}",
            [CALLS[name], UNKNOWN],
            Want("", OSLO, notes=None),
            Request(TWO_TOOLS, effort="none"),
        )
        for name in ("a call on the channel analysis", "a call after a thought")
    ),
    Row(
        "a budget that is not used up, a call",
        [*ENDED, CALL],
        Want("", OSLO, notes=NONE, reasoning="Think."),
        Request(WEATHER, budget=50),
    ),
    Row(
        "a budget that is not used up, a call in the place of the thought",
        [f"Think.<|end|>{CALL}", CALL],
        Want("", OSLO, notes=None, reasoning="Think."),
        Request(WEATHER, budget=50),
    ),
    Row(
        "a budget that is not used up, a call on the channel analysis",
        [*ENDED, f"{ANALYSIS} to=functions.get_weather code<|message|>{ARGUMENTS}<|call|>", UNKNOWN],
        Want("", OSLO, notes=None, reasoning="Think."),
        Request(WEATHER, budget=50),
    ),
    Row(
        "a used-up budget, a call of two",
        [*USED_UP, f"{ANALYSIS}<|message|>I need it.{NEXT}{CALL}", UNKNOWN],
        Want("", OSLO, notes=None),
        Request(TWO_TOOLS, budget=2),
    ),
    Row(
        "a used-up budget and a full context",
        [*USED_UP, CONTEXT_FULL],
        Want("", notes=["length"], finish_reason="length", reasoning="Think of"),
        Request(budget=2),
    ),
    Row(
        "a used-up budget and a full context, with a tool",
        [*USED_UP, CONTEXT_FULL],
        Want("", notes=["length"], finish_reason="length", reasoning="Think of"),
        Request(WEATHER, budget=2),
    ),
    Row(
        "a used-up budget and a full context, with a stop string",
        [*USED_UP, CONTEXT_FULL],
        Want("", notes=["length"], finish_reason="length", reasoning="Think of"),
        Request(stop=STOPPED.request.stop, budget=2),
    ),
    Row(
        "a used-up budget and a full context, with a schema",
        [*USED_UP, CONTEXT_FULL],
        Want("", notes=["length"], finish_reason="length", reasoning="Think of"),
        Request(schema=SCHEMA.request.schema, budget=2),
    ),
    Row(
        "a used-up budget and a full context, with a required tool",
        [*USED_UP, CONTEXT_FULL],
        Want("", notes=["length"], finish_reason="length", reasoning="Think of"),
        Request(WEATHER, tool_choice="get_weather", budget=2),
    ),
    Row(
        "a prompt that is longer than the context",
        [CONTEXT_FULL],
        Want("", notes=None, error="ContextOverflow"),
    ),
    Row(
        "a prompt that is longer than the context, with a budget",
        [CONTEXT_FULL],
        Want("", notes=None, error="ContextOverflow"),
        Request(budget=2),
    ),
]
