"""Requests and tools that many rows share, and the answer that each kind of request should get."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import NamedTuple

from support.slips.row import FINAL, Call, Json, Part, Request, Want


def parameters(*names: str) -> Json:
    "Return the schema of a tool's parameters: texts, all required."
    return {
        "type": "object",
        "properties": {name: {"type": "string"} for name in names},
        "required": [*names],
    }


WEATHER = {"get_weather": parameters("city")}
RUN = {"run": parameters("cmd")}
TWO_TOOLS = {**WEATHER, "add_note": parameters("title")}
NUMBER: Json = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}

OSLO: list[Call] = [("get_weather", {"city": "Oslo"})]
ARGUMENTS = '{"city":"Oslo"}'
CALL = f"<|channel|>commentary to=functions.get_weather <|constrain|>json<|message|>{ARGUMENTS}<|call|>"

# What the model writes when it is prompted again after a call that was dropped. It fits both ways to prompt
# it: as the rest of an answer that was opened, and as a text of its own.
SORRY = "Sorry.<|return|>"


class Shape(NamedTuple):
    "A kind of request, what the model writes after its slip, and the expected outcome."

    name: str
    request: Request
    wrote: str
    further: Sequence[Part]
    want: Want

    def texts(self, slip: str) -> list[Part]:
        "Return the completions, the first of which begins with this slip."
        return [slip + self.wrote, *self.further]


PLAIN = Shape("a plain answer", Request(), FINAL + "The answer<|return|>", (), Want("The answer"))
STOPPED = Shape(
    "a stop string",
    Request(stop=("STOP",)),
    FINAL + "The answer STOP more<|return|>",
    ["The answer STOP more"],
    Want("The answer "),
)
SCHEMA = Shape(
    "a schema",
    Request(schema=NUMBER),
    FINAL + json.dumps({"n": 1}) + "<|return|>",
    [json.dumps({"n": 1})],
    Want(json.dumps({"n": 1})),
)
CALLED = Shape("a call", Request(tools=WEATHER), CALL, (), Want("", OSLO))
SHAPES = (PLAIN, STOPPED, SCHEMA, CALLED)
