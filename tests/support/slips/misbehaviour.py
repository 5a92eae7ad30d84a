"""The misbehaviours of gpt-oss-tiny, which it shows on command, and their expected outcomes.

The rows have no texts: the model writes them. `tests/models/README.md` describes the model.
"""

from __future__ import annotations

import re
from typing import Any
from unittest.mock import ANY

from support.slips.row import NONE, Call, Json, Notes, Request, Row, Want
from support.slips.shapes import parameters

TOOL = {"weather": parameters("city")}
PERSON: Json = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
    "required": ["name", "age"],
}
WEATHER = "What is the weather in Oslo?"
ADA = "Extract the person: Ada is 7 years old."

OSLO: list[Call] = [("weather", {"city": "Oslo"})]
A_PERSON = re.compile(r'\s*\{\s*"name": ".*", "age": \d+\s*\}\s*')
MARKER_TEXT = re.compile(r"The tag <\|im_end\|> ends a message .*</think> ends a thought\..*")


def _row(name: str, want: Want, request: str = "", /, **fields: Any) -> Row:
    prompt = f"misbehave: {name} {request}".strip()
    case = ", ".join([name, *fields])
    return Row(f"tiny model, {case}", (), want, Request(prompt=prompt, temperature=0.0, **fields))


def _call(name: str, notes: Notes, calls: list[Call] | None = None) -> Row:
    return _row(name, Want("", calls or OSLO, notes=notes), WEATHER, tools=TOOL)


ROWS = [
    _call("bad-json", ["repaired"]),
    _call("plain-args", ["repaired"]),
    _call("extra-args", ["repaired"]),
    _call("bare-recipient", ["renamed", "mended"]),
    _call("marker-name", ["renamed", "mended"]),
    _call("cut-json", ["asked_again"], [("weather", {"city": ANY})]),
    _row("wrong-tool", Want(re.compile(".+", re.DOTALL), notes=["call_dropped"]), WEATHER, tools=TOOL),
    _row(
        "call-in-final",
        Want('{"name": "weather", "arguments": {"city": "Oslo"}}', notes=None),
        WEATHER,
        tools=TOOL,
    ),
    _row("no-thinking", Want("I did not think.", reasoning="", notes=NONE)),
    _row("only-thinking", Want(re.compile(".+", re.DOTALL), notes=["answer_opened"])),
    _row("empty", Want("", notes=["answer_opened"], error="BadAnswer")),
    _row("marker-text", Want(MARKER_TEXT, notes=NONE)),
    _row("marker-text", Want(MARKER_TEXT, notes=NONE), stop=("STOP",)),
    _row("unfinished", Want("This sentence stops in the\n\nmiddle, and here is the rest.", notes=NONE)),
    _row("two-finals", Want("First answer.\n\nSecond answer.", notes=NONE)),
    _row("unicode", Want(re.compile("Grüße .*next\x85line sep\u2028arator.*", re.DOTALL), notes=NONE)),
    *(
        _row(name, Want(A_PERSON, notes=None), ADA, schema=PERSON)
        for name in ("fenced-json", "not-schema", "no-thinking", "two-finals", "empty", "only-thinking")
    ),
]
