"""What the model makes up after a call that it ended with `<|end|>`: results, answers, questions.

None of it is shown. Further calls are not made up, unless a result comes before them.
"""

from __future__ import annotations

from support.slips.row import FINAL, NEXT, NONE, THOUGHT, Call, Request, Row, Want, spread
from support.slips.shapes import ARGUMENTS, OSLO, SCHEMA, TWO_TOOLS, WEATHER

START = "<|start|>assistant"
JSON = " <|constrain|>json"
OPEN_CALL = f"<|channel|>commentary to=functions.get_weather{JSON}<|message|>{ARGUMENTS}"
NOTE = f'<|channel|>commentary to=functions.add_note{JSON}<|message|>{{"title":"Hi"}}'
NOTED: Call = ("add_note", {"title": "Hi"})
RESULT = "<|start|>functions.get_weather to=assistant<|channel|>commentary<|message|>Sunny.<|end|>"

# What follows the call and its `<|end|>`.
AFTER_CALL = {
    "an answer": f"{START}{FINAL}It is sunny.<|return|>",
    "an answer without a start": f"{FINAL}It is sunny.<|return|>",
    "a result": RESULT,
    "a result and an answer": f"{RESULT}{START}{FINAL}It is sunny.<|return|>",
    "a result, a thought and an answer": (
        f"{RESULT}{START}<|channel|>analysis<|message|>Sunny.{NEXT}{FINAL}It is sunny.<|return|>"
    ),
    "a result of a bare name": (
        "<|start|>get_weather to=assistant<|channel|>commentary<|message|>Sunny.<|end|>"
    ),
    "a result without a recipient": "<|start|>functions.get_weather<|message|>Sunny.<|end|>",
    "a result of a tool": "<|start|>tool<|message|>Sunny.<|end|>",
    "a thought and an answer": (
        f"{START}<|channel|>analysis<|message|>Sunny.{NEXT}{FINAL}It is sunny.<|return|>"
    ),
    "a preamble": f"{START}<|channel|>commentary<|message|>It is sunny.<|return|>",
    "an unknown channel": f"{START}<|channel|>result<|message|>It is sunny.<|return|>",
    "a message without a channel": f"{START}<|message|>It is sunny.<|return|>",
    "text": "It is sunny.<|return|>",
    "text and a start": f"It is sunny.{START}<|return|>",
    "a header without a message": f"{START}<|channel|>final It is sunny.<|return|>",
    "a question of the user": f"<|start|>user<|message|>And Rome?<|end|>{START}{FINAL}Rainy.<|return|>",
    "an answer without an end of the call": f"{START}{FINAL}It is sunny.<|return|>",
}


def _after_call(name: str, text: str) -> Row:
    end = "" if "without an end" in name else "<|end|>"
    return Row(
        f"after a call, {name}",
        [f"{THOUGHT}{OPEN_CALL}{end}{text}"],
        Want("", OSLO, notes=None, finish_reason="tool_calls"),
        Request(WEATHER),
    )


ROWS = [
    *spread([_after_call(name, text) for name, text in AFTER_CALL.items()], 2),
    Row(
        "after a call, another call",
        [f"{THOUGHT}{OPEN_CALL}{NEXT}{NOTE}<|call|>"],
        Want("", [*OSLO, NOTED], notes=NONE),
        Request(TWO_TOOLS),
    ),
    Row(
        "after a call, a thought and another call",
        [f"{THOUGHT}{OPEN_CALL}{NEXT}<|channel|>analysis<|message|>And a note.{NEXT}{NOTE}<|call|>"],
        Want("", [*OSLO, NOTED], notes=None),
        Request(TWO_TOOLS),
    ),
    Row(
        "after a call, the same call",
        [f"{THOUGHT}{OPEN_CALL}{NEXT}{OPEN_CALL}<|call|>"],
        [Want("", [*OSLO, *OSLO], notes=None), Want("", OSLO)],
        Request(WEATHER),
    ),
    Row(
        "after a call, a result and another call",
        [f"{THOUGHT}{OPEN_CALL}<|end|>{RESULT}{START}{NOTE}<|call|>"],
        Want("", OSLO, notes=["spoke_for_others"]),
        Request(TWO_TOOLS),
    ),
    Row(
        "after a call, another call and an answer",
        [f"{THOUGHT}{OPEN_CALL}{NEXT}{NOTE}{NEXT}{FINAL}It is sunny.<|return|>"],
        Want("", [*OSLO, NOTED], notes=None),
        Request(TWO_TOOLS),
    ),
    Row(
        "after a preamble and a call, an answer",
        [
            f"{THOUGHT}<|channel|>commentary<|message|>Let me look.{NEXT}{OPEN_CALL}{NEXT}"
            f"{FINAL}Sunny.<|return|>"
        ],
        Want("Let me look.", OSLO, notes=None),
        Request(WEATHER),
    ),
    Row(
        "after a call, an answer with a stop string",
        [f"{THOUGHT}{OPEN_CALL}{NEXT}{FINAL}It is sunny.<|return|>", "It is sunny."],
        Want("", OSLO, notes=None),
        Request(WEATHER, stop=("STOP",)),
    ),
    Row(
        "after a call, an answer with a schema",
        [f"{THOUGHT}{OPEN_CALL}{NEXT}{FINAL}{SCHEMA.want.text}", *SCHEMA.further],
        Want("", OSLO, notes=None),
        Request(WEATHER, schema=SCHEMA.request.schema),
    ),
    Row(
        "after a call with effort none, an answer",
        [f"{OPEN_CALL}{NEXT}{FINAL}It is sunny.<|return|>"],
        Want("", OSLO, notes=None),
        Request(WEATHER, effort="none"),
    ),
]
