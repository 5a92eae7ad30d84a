"Tools with names in other scripts. The prompt contains the names unchanged, and calls of them are found."

from __future__ import annotations

from support.slips.row import NONE, THOUGHT, Request, Row, Want, spread
from support.slips.shapes import SORRY, parameters

JSON = " <|constrain|>json"
NAMES = ("погода", "天気", "νέα", "القائمة", "café", "ラーメン屋", "मौसम", "날씨")
TOOLS = {name: parameters("city") for name in NAMES}
CITY = {"city": "Oslo"}


def _call(name: str, header: str) -> str:
    return f'{THOUGHT}<|channel|>commentary{header}<|message|>{{"city":"Oslo"}}<|call|>'


ROWS = [
    *spread(
        [
            Row(
                f"tool's name, {name}",
                [_call(name, f" to=functions.{name}{JSON}"), SORRY],
                Want("", [(name, CITY)], notes=NONE, in_prompt=[f"type {name} ="]),
                Request({name: parameters("city")}),
            )
            for name in NAMES
        ],
        4,
    ),
    *spread(
        [
            Row(
                f"tool's name, {name} among others",
                [_call(name, f" to=functions.{name}{JSON}"), SORRY],
                Want("", [(name, CITY)], notes=NONE, in_prompt=[f"type {other} =" for other in NAMES]),
                Request(TOOLS),
            )
            for name in NAMES[:3]
        ],
        3,
    ),
    *spread(
        [
            Row(
                f"tool's name, {name}, with no to",
                [_call(name, f" functions.{name}{JSON}"), SORRY],
                Want("", [(name, CITY)], notes=["renamed"]),
                Request(TOOLS),
            )
            for name in NAMES[:3]
        ],
        3,
    ),
    Row(
        "tool's name, with a space in it",
        [_call("get weather", f" to=functions.get_weather{JSON}"), SORRY],
        Want("", [("get weather", CITY)], notes=NONE),
        Request({"get weather": parameters("city")}),
    ),
    Row(
        "tool's name, two that differ in what harmony cannot express",
        [_call("a b", f" to=functions.a_b{JSON}"), SORRY],
        Want("", [("a_b", CITY)], notes=NONE),
        Request({"a b": parameters("city"), "a_b": parameters("city")}),
    ),
    Row(
        "tool's name, emoji",
        [f"{THOUGHT}<|channel|>final<|message|>Yes.<|return|>"],
        Want("Yes.", notes=NONE),
        Request({"🌦": parameters("city")}),
    ),
]
