"""The text of an answer: with a schema only the answer, with a stop string only the text before it.

With a schema, a preamble becomes reasoning. The log probabilities are those of the answer.
"""

from __future__ import annotations

import json

from support.slips.row import FINAL, NEXT, NONE, THOUGHT, Request, Row, Want, spread
from support.slips.shapes import CALL, NUMBER, OSLO, SCHEMA, WEATHER

START = "<|start|>assistant"
ANSWER = json.dumps({"n": 1})
LOOK = f"<|channel|>commentary<|message|>Let me look.{NEXT}"

# What the model writes before an answer with a schema, and the texts that the reasoning must have.
BEFORE = {
    "a preamble": (LOOK, "Let me look."),
    "two preambles": (f"{LOOK}<|channel|>commentary<|message|>And now.{NEXT}", "Let me look.And now."),
    "a preamble with JSON": (f'<|channel|>commentary<|message|>{{"n": 2}}{NEXT}', '{"n": 2}'),
    "a preamble to the user": (
        f"<|channel|>commentary to=user<|message|>Let me look.{NEXT}",
        None,
    ),
    "a preamble and a thought": (
        f"{LOOK}<|channel|>analysis<|message|>Now.{NEXT}",
        "Let me look.Now.",
    ),
    "a preamble without a start": (
        "<|channel|>commentary<|message|>Let me look.<|end|>",
        "Let me look.",
    ),
    "a preamble without an end": (
        f"<|channel|>commentary<|message|>Let me look.{START}",
        "Let me look.",
    ),
    "an unknown channel": (f"<|channel|>plan<|message|>Let me look.{NEXT}", None),
}


def _with_schema(name: str, before: str, reasoning: str | None, request: Request, more: str) -> Row:
    return Row(
        f"schema, {name}{more}",
        [f"{THOUGHT}{before}{FINAL}{ANSWER}<|return|>", ANSWER],
        Want(ANSWER, reasoning=reasoning and f"Think.{reasoning}", notes=None, finish_reason="stop"),
        request,
    )


_SCHEMA_REQUESTS = {
    "": SCHEMA.request,
    ", with a tool": Request(WEATHER, schema=NUMBER),
    ", with log probabilities": Request(schema=NUMBER, logprobs=True),
}

_STOPPED = [
    Row(
        f"stop string, {name}",
        [f"{THOUGHT}{before}{FINAL}The answer STOP more<|return|>", "The answer STOP more"],
        [Want(text, notes=None, finish_reason="stop") for text in texts],
        Request(stop=("STOP",)),
    )
    for name, before, texts in (
        ("an answer", "", ["The answer "]),
        ("a preamble", LOOK, ["Let me look.\n\nThe answer "]),
        (
            "a preamble with the stop string",
            f"<|channel|>commentary<|message|>I STOP here.{NEXT}",
            ["I STOP here.\n\nThe answer ", "I ", "The answer "],
        ),
        (
            "a thought with the stop string",
            f"<|channel|>analysis<|message|>I STOP here.{NEXT}",
            ["The answer "],
        ),
    )
]

_LOGPROBS = [
    Row(
        f"log probabilities, {name}",
        [f"{THOUGHT}{before}{FINAL}The answer<|return|>", *further],
        Want("The answer", notes=None),
        Request(tools, logprobs=True),
    )
    for name, before, further, tools in (
        ("an answer", "", (), {}),
        ("text between messages", f"<|channel|>analysis<|message|>T.<|end|>Oops{START}", (), {}),
        ("question marks", f"<|channel|>??{NEXT}", (), {}),
        ("a constrained header", "", (), WEATHER),
    )
]

ROWS = [
    *spread(
        [
            _with_schema(name, before, reasoning, request, more)
            for name, (before, reasoning) in BEFORE.items()
            for more, request in _SCHEMA_REQUESTS.items()
        ],
        5,
    ),
    *_STOPPED,
    *_LOGPROBS,
    Row(
        "log probabilities, a stop string",
        [f"{THOUGHT}{FINAL}The answer", "The answer STOP more"],
        Want("The answer ", notes=None),
        Request(stop=("STOP",), logprobs=True),
    ),
    Row(
        "log probabilities, no header",
        ["The answer"],
        Want("The answer", notes=None),
        Request(logprobs=True),
    ),
    Row(
        "schema, no mistake",
        [f"{THOUGHT}{FINAL}{ANSWER}<|return|>", ANSWER],
        Want(ANSWER, notes=NONE, reasoning="Think."),
        SCHEMA.request,
    ),
    Row(
        "schema, a preamble before a call",
        [f"{THOUGHT}{LOOK}{CALL}", ANSWER],
        Want("", OSLO, reasoning="Think.Let me look.", notes=None),
        Request(WEATHER, schema=NUMBER),
    ),
    Row(
        "schema, a preamble alone",
        [f"{THOUGHT}<|channel|>commentary<|message|>Let me look.<|return|>", ANSWER],
        Want(ANSWER, reasoning="Think.Let me look.", notes=None),
        SCHEMA.request,
    ),
    Row(
        "schema, a preamble with effort none and a tool",
        [f"{LOOK}{FINAL}{ANSWER}<|return|>", ANSWER],
        Want(ANSWER, notes=None),
        Request(WEATHER, schema=NUMBER, effort="none"),
    ),
    Row(
        "schema, a preamble with a budget",
        [f"Think.{NEXT}", f"{LOOK}{FINAL}{ANSWER}<|return|>", ANSWER],
        Want(ANSWER, notes=None),
        Request(WEATHER, schema=NUMBER, budget=50),
    ),
    Row(
        "a preamble before an answer, with no schema",
        [f"{THOUGHT}{LOOK}{FINAL}The answer<|return|>"],
        Want("Let me look.\n\nThe answer", reasoning="Think.", notes=NONE),
    ),
    Row(
        "a preamble before a call, with no schema",
        [f"{THOUGHT}{LOOK}{CALL}"],
        Want("Let me look.", OSLO, reasoning="Think.", notes=NONE),
        Request(WEATHER),
    ),
]
