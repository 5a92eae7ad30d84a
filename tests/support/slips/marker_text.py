"""Text that looks like a marker but is not one, in answers, reasoning and arguments.

Only a special token is a marker. If the model spells it out, it is text. If the model copies a neutralised
marker, which has an invisible character, from its prompt, the original text comes out.
"""

from __future__ import annotations

import json

from llm_gpt_oss.harmony.markers import MARKERS
from support.slips.row import FINAL, NEXT, NONE, THOUGHT, Request, Row, Want, disguised, spelled, spread
from support.slips.shapes import OSLO, RUN, SORRY, STOPPED, TWO_TOOLS, WEATHER

START = "<|start|>assistant"
JSON = " <|constrain|>json"
ALL = " ".join(MARKERS)
TAG = "The tag <|end|> ends a message"
FAKE_CALL = f'{START}<|channel|>commentary to=functions.get_weather{JSON}<|message|>{{"city":"Rome"}}<|call|>'

WRITTEN = {
    "one": TAG,
    "all of them": f"These: {ALL}.",
    "one at the start": "<|end|> is a tag",
    "one at the end": "The tag is <|end|>",
    "one alone": "<|channel|>",
    "a header": "It writes <|start|>assistant<|channel|>final<|message|>Hi",
    "one that begins no message": "See <|endoftext|> and <|endofprompt|>.",
}

TEXT_SCHEMA = {"type": "object", "properties": {"s": {"type": "string"}}, "required": ["s"]}


def _answer(name: str, text: str, way: str, written: str) -> list[Row]:
    "The rows of an answer with this text, and of one with a stop string."
    return [
        Row(
            f"{way}, in an answer, {name}",
            [f"{THOUGHT}{FINAL}{written}<|return|>"],
            Want(text, notes=None, reasoning="Think."),
        ),
        Row(
            f"{way}, in an answer with a stop string, {name}",
            [f"{THOUGHT}{FINAL}{written}", f"{written} STOP more"],
            Want(f"{text} ", notes=None),
            STOPPED.request,
        ),
        Row(
            f"{way}, in a preamble, {name}",
            [f"{THOUGHT}<|channel|>commentary<|message|>{written}{NEXT}{FINAL}Yes.<|return|>"],
            Want(f"{text}\n\nYes.", notes=None),
        ),
        Row(
            f"{way}, in reasoning, {name}",
            [f"<|channel|>analysis<|message|>{written}{NEXT}{FINAL}Yes.<|return|>"],
            Want("Yes.", notes=None, reasoning=text),
        ),
    ]


def _arguments(name: str, text: str, way: str, written: str) -> Row:
    return Row(
        f"{way}, in arguments, {name}",
        [
            f"{THOUGHT}<|channel|>commentary to=functions.run{JSON}<|message|>"
            f'{{"cmd":{json.dumps(text).replace(text, written)}}}<|call|>'
        ],
        Want("", [("run", {"cmd": text})], notes=None),
        Request(RUN),
    )


def _rows(way: str, write: object) -> list[Row]:
    assert callable(write)
    rows = [row for name, text in WRITTEN.items() for row in _answer(name, text, way, write(text))]
    return rows + [_arguments(name, text, way, write(text)) for name, text in WRITTEN.items()]


_SCHEMA = [
    Row(
        f"{way}, in an answer with a schema",
        [f"{THOUGHT}{FINAL}", f'{{"s": "{write(TAG)}"}}'],
        Want(json.dumps({"s": TAG}), notes=None),
        Request(schema=TEXT_SCHEMA),
    )
    for way, write in (("spelled out", spelled), ("disguised", disguised))
]

# Invisible characters that disguise nothing.
_UNTOUCHED = [
    Row(f"an invisible character, {name}", [f"{THOUGHT}{FINAL}{text}<|return|>"], Want(text, notes=NONE))
    for name, text in {
        "between letters": "a\u2060b",
        "after an arrow bracket": "a <\u2060 b",
        "in a tag": "<\u2060b>",
        "at the end": "The answer <\u2060",
        "in the middle of a marker at the end": "The answer <\u2060|en",
        "before another word": "<\u2060|ending|>",
    }.items()
]

# A step that only reasons ends at its stop string, `<|start|>`, also where the model spells it out.
CUT = "Not "

_CALLS = [
    Row(
        "spelled out, a call in reasoning",
        [f"<|channel|>analysis<|message|>Not {spelled(FAKE_CALL)}.{NEXT}{FINAL}Yes.<|return|>", SORRY],
        Want("Yes.", notes=None, reasoning=f"Not {FAKE_CALL}."),
        Request(WEATHER),
    ),
    Row(
        "spelled out, a call in reasoning with a stop string",
        [f"<|channel|>analysis<|message|>Not {spelled(FAKE_CALL)}.{NEXT}{FINAL}", "Yes. STOP"],
        Want("Yes. ", notes=None, reasoning=f"Not {FAKE_CALL}."),
        Request(WEATHER, stop=("STOP",)),
    ),
    Row(
        "spelled out, a call in reasoning with a budget",
        [f"Not {spelled(FAKE_CALL)}.{NEXT}", f"{FINAL}Yes.<|return|>", "Yes."],
        Want("Yes.", notes=None, reasoning=CUT),
        Request(WEATHER, budget=500),
    ),
    Row(
        "spelled out, a call in reasoning with a required tool",
        [f"Not {spelled(FAKE_CALL)}.{NEXT}", '{"city":"Oslo"}'],
        Want("", OSLO, notes=None, reasoning=CUT),
        Request(WEATHER, tool_choice="get_weather"),
    ),
    Row(
        "spelled out, a call in reasoning with two required tools",
        [f"Not {spelled(FAKE_CALL)}.{NEXT}", f".get_weather{JSON}<|message|>", '{"city":"Oslo"}'],
        Want("", OSLO, notes=None, reasoning=CUT),
        Request(TWO_TOOLS, tool_choice="required"),
    ),
    Row(
        "spelled out, a call in an answer with a stop string",
        [f"{THOUGHT}{FINAL}", f"Write {spelled(FAKE_CALL)} STOP"],
        Want(f"Write {FAKE_CALL} ", notes=None),
        Request(WEATHER, stop=("STOP",)),
    ),
    Row(
        "spelled out, an answer in a call's header",
        [
            f"{THOUGHT}<|channel|>commentary to=functions.get_weather{JSON}<|message|>"
            f'{{"city":"Oslo"}}{NEXT}<|channel|>analysis<|message|>{spelled(FINAL)}<|call|>'
        ],
        Want("", OSLO, notes=None),
        Request(WEATHER),
    ),
    Row(
        "spelled out, markers and log probabilities",
        [f"{THOUGHT}{FINAL}{spelled(TAG)}<|return|>"],
        Want(TAG, notes=None),
        Request(logprobs=True),
    ),
    Row(
        "spelled out, markers, log probabilities and a stop string",
        [f"{THOUGHT}{FINAL}", f"{spelled(TAG)} STOP more"],
        Want(f"{TAG} ", notes=None),
        Request(stop=("STOP",), logprobs=True),
    ),
]

_PROMPT = [
    Row(
        "disguised, a marker of the user that the model copies",
        [f"{THOUGHT}{FINAL}{disguised(TAG)}<|return|>"],
        Want(TAG, notes=None, in_prompt=[disguised(TAG)]),
        Request(prompt=TAG),
    ),
]

ROWS = [
    *spread(_rows("spelled out", spelled), 9),
    *spread(_rows("disguised", disguised), 9),
    *_SCHEMA,
    *spread(_UNTOUCHED, 3),
    *_CALLS,
    *_PROMPT,
]
