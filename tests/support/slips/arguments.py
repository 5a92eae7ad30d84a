"""Arguments of calls from end to end. `llm_gpt_oss/turn/test_tool_arguments.py` has the repairs one by one.

They are repaired if that cannot change their meaning. Otherwise they are requested again, with their schema.
"""

from __future__ import annotations

from support.slips.row import FINAL, NEXT, NONE, THOUGHT, Call, Json, Notes, Request, Row, Want, spread
from support.slips.shapes import OSLO, RUN, SORRY, WEATHER, parameters

JSON = " <|constrain|>json"
AGAIN = ["asked_again"]
EITHER = ["asked_again", "repaired"]
NOTHING: Json = {"type": "object", "properties": {}}
FILES: Json = {
    "type": "object",
    "properties": {"files": {"type": "array", "items": {"type": "string"}}},
    "required": ["files"],
}


def _call(tool: str, text: str) -> str:
    return f"{THOUGHT}<|channel|>commentary to=functions.{tool}{JSON}<|message|>{text}<|call|>"


# What the model wrote, the value of `cmd` that it has to be, what it writes the second time, and the notes.
COMMANDS: dict[str, tuple[str, str, str, Notes]] = {
    "as they should be": (r'{"cmd":"ls -l"}', "ls -l", "{}", NONE),
    "an escape of sed": (
        r'{"cmd":"sed s/(a)/\1/ f"}',
        r"sed s/(a)/\1/ f",
        r'{"cmd":"sed s/(a)/\\1/ f"}',
        EITHER,
    ),
    "an escape of a bell": (r'{"cmd":"printf \a"}', r"printf \a", r'{"cmd":"printf \\a"}', EITHER),
    "an escape of nothing": (r'{"cmd":"printf \0"}', r"printf \0", r'{"cmd":"printf \\0"}', EITHER),
    "an escape of a terminal": (r'{"cmd":"\033[1m"}', r"\033[1m", r'{"cmd":"\\033[1m"}', EITHER),
    "an escape with digits": (r'{"cmd":"\x1b[1m"}', r"\x1b[1m", r'{"cmd":"\\x1b[1m"}', EITHER),
    "an escape of a digit's class": (
        r'{"cmd":"grep \d+ f"}',
        r"grep \d+ f",
        r'{"cmd":"grep \\d+ f"}',
        EITHER,
    ),
    "quotes inside": ('{"cmd":"echo "" && ls"}', 'echo "" && ls', r'{"cmd":"echo \"\" && ls"}', AGAIN),
    "encoded twice": (r'"{\"cmd\":\"ls\"}"', "ls", '{"cmd":"ls"}', EITHER),
    "a fence": ('```json\n{"cmd":"ls"}\n```', "ls", '{"cmd":"ls"}', EITHER),
    "a bracket too many": ('{"cmd":"ls"}}', "ls", '{"cmd":"ls"}', EITHER),
    "a bracket too few": ('{"cmd":"ls"', "ls", '{"cmd":"ls"}', EITHER),
    "cut in a string": ('{"cmd":"l', "ls", '{"cmd":"ls"}', AGAIN),
    "a line in a string": ('{"cmd":"a\nb"}', "a\nb", r'{"cmd":"a\nb"}', EITHER),
    "markup": ("<cmd>ls</cmd>", "ls", '{"cmd":"ls"}', AGAIN),
    "an assignment": ("cmd=ls", "ls", '{"cmd":"ls"}', AGAIN),
    "a lone word": ("ls", "ls", '{"cmd":"ls"}', EITHER),
    "two objects": ('{"cmd":"ls"}{"cmd":"rm"}', "ls", '{"cmd":"ls"}', AGAIN),
    "text with an escape of a newline": (r'{"cmd":"a\nb"}', "a\nb", "{}", NONE),
}

_COMMANDS = [
    Row(
        f"arguments, {name}",
        [_call("run", text), second],
        Want("", [("run", {"cmd": value})], notes=notes, finish_reason="tool_calls"),
        Request(RUN),
    )
    for name, (text, value, second, notes) in COMMANDS.items()
]
_FILES: list[Call] = [("add", {"files": ["a", "b"]})]
_NO_CALL = [Want("ok", notes=None), Want("", [("run", {"cmd": "ls"})]), Want("ok", [("run", {"cmd": "ls"})])]

ROWS = [
    *spread(_COMMANDS, 2),
    Row(
        "arguments, strings that touch",
        [_call("add", '{"files":["a" "b"]}'), '{"files":["a","b"]}'],
        Want("", _FILES, notes=EITHER),
        Request({"add": FILES}),
    ),
    *(
        Row(
            f"arguments, {name} for a tool without parameters",
            [_call("now", text), "{}"],
            Want("", [("now", {})], notes=notes),
            Request({"now": NOTHING}),
        )
        for name, text, notes in (
            ("none", "", None),
            ("an empty object", "{}", NONE),
            ("an invented one", '{"timezone":"UTC"}', EITHER),
            ("a word", "UTC", EITHER),
            ("null", "null", EITHER),
        )
    ),
    Row(
        "arguments, prose in a broken header is no command",
        [
            f"{THOUGHT}<|channel|>commentary to=functions.run <|constrain|>go: list the files please."
            f"{NEXT}{FINAL}ok<|return|>",
            '{"cmd":"ls"}',
        ],
        _NO_CALL,
        Request(RUN),
    ),
    Row(
        "arguments, prose in a header without a format is no command",
        [
            f"{THOUGHT}<|channel|>commentary to=functions.run list the files please."
            f"{NEXT}{FINAL}ok<|return|>",
            '{"cmd":"ls"}',
        ],
        _NO_CALL,
        Request(RUN),
    ),
    Row(
        "arguments, broken in one call of two",
        [
            f'{THOUGHT}<|channel|>commentary to=functions.get_weather{JSON}<|message|>{{"city":"Os'
            f'{NEXT}<|channel|>commentary to=functions.run{JSON}<|message|>{{"cmd":"ls"}}<|call|>',
            '{"city":"Oslo"}',
        ],
        Want("", [*OSLO, ("run", {"cmd": "ls"})], notes=AGAIN),
        Request({**WEATHER, **RUN}),
    ),
    Row(
        "arguments, broken twice",
        [_call("run", '{"cmd":'), '{"cmd":'],
        Want("", notes=AGAIN, error="BadAnswer"),
        Request(RUN),
    ),
    Row(
        "arguments, broken, and a broken name",
        [
            f'{THOUGHT}<|channel|>commentary get_weather{JSON}<|message|>{{"city":"Os<|call|>',
            '{"city":"Oslo"}',
        ],
        Want("", OSLO, notes=AGAIN),
        Request(WEATHER),
    ),
    Row(
        "arguments, broken, of a tool that is not on offer",
        [_call("delete_all", '{"a":'), SORRY],
        Want("Sorry.", notes=["call_dropped"]),
        Request(RUN),
    ),
    Row(
        "arguments, of the wrong type",
        [_call("pick", '{"city":["Oslo"]}'), '{"city":"Oslo"}'],
        Want("", [("pick", {"city": "Oslo"})], notes=AGAIN),
        Request({"pick": parameters("city")}),
    ),
]
