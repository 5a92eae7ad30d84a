"""Calls of tools that are not on offer: unknown ones, excluded ones, and the model's built-in ones.

Such a call is dropped with a note. Then the model is told that the tool is not available, or its answer is
started.
"""

from __future__ import annotations

from collections.abc import Mapping

from support.slips.row import FINAL, NEXT, THOUGHT, Request, Row, Want, spread
from support.slips.shapes import ARGUMENTS, CALL, OSLO, SCHEMA, SORRY, STOPPED, TWO_TOOLS, WEATHER, parameters

START = "<|start|>assistant"
JSON = " <|constrain|>json"
NO_OPTION = "the plugin has no option for it: an app leaves the tool out"

# What follows `<|start|>assistant`, and the text of the call.
CALLS = {
    "an unknown tool": (f"<|channel|>commentary to=functions.delete_all{JSON}", ARGUMENTS),
    "an unknown tool with no functions": (f"<|channel|>commentary to=delete_all{JSON}", ARGUMENTS),
    "an unknown tool with no to": (f"<|channel|>commentary functions.delete_all{JSON}", ARGUMENTS),
    "an unknown tool in another script": (f"<|channel|>commentary to=functions.погода{JSON}", ARGUMENTS),
    "an unknown tool in the role": (f" to=functions.delete_all<|channel|>commentary{JSON}", ARGUMENTS),
    "an unknown tool on the channel analysis": (
        "<|channel|>analysis to=functions.delete_all code",
        ARGUMENTS,
    ),
    "an unknown tool with broken arguments": (
        f"<|channel|>commentary to=functions.delete_all{JSON}",
        '{"a":',
    ),
    "an unknown tool with no arguments": (f"<|channel|>commentary to=functions.delete_all{JSON}", "{}"),
    "a tool of nearly the name": (f"<|channel|>commentary to=functions.get_wether{JSON}", ARGUMENTS),
    "a tool of a longer name": (f"<|channel|>commentary to=functions.get_weather_forecast{JSON}", ARGUMENTS),
    "a tool of a shorter name": (f"<|channel|>commentary to=functions.get{JSON}", ARGUMENTS),
    "python": ("<|channel|>analysis to=python code", "print(2+2)"),
    "python in commentary": ("<|channel|>commentary to=python code", "print(2+2)"),
    "python with JSON": (f"<|channel|>analysis to=python{JSON}", '{"code":"print(2+2)"}'),
    "python in the role": (" to=python<|channel|>analysis code", "print(2+2)"),
    "python as a function": (f"<|channel|>commentary to=functions.python{JSON}", '{"code":"1"}'),
    "browser.search": (f"<|channel|>analysis to=browser.search{JSON}", '{"query":"Oslo"}'),
    "browser.search as code": ("<|channel|>analysis to=browser.search code", '{"query":"Oslo"}'),
    "browser.open": (f"<|channel|>commentary to=browser.open{JSON}", '{"id":1}'),
    "browser": (f"<|channel|>analysis to=browser{JSON}", '{"query":"Oslo"}'),
    "browser.search as a function": (
        f"<|channel|>commentary to=functions.browser.search{JSON}",
        '{"query":"O"}',
    ),
    "container.exec": (f"<|channel|>analysis to=container.exec{JSON}", '{"cmd":["ls"]}'),
    "another namespace": (f"<|channel|>commentary to=tools.get_time{JSON}", "{}"),
}


def _call(name: str, header: str, text: str, request: Request, offer: str) -> Row:
    before = THOUGHT if header.startswith("<|channel|>") else f"<|channel|>analysis<|message|>Think.{NEXT}"
    further = list(SCHEMA.further) if request.schema else [SORRY]
    return Row(
        f"not on offer, {name}, {offer}",
        [f"{before}{header}<|message|>{text}<|call|>", *further],
        Want(SCHEMA.want.text if request.schema else "Sorry.", notes=["call_dropped"], finish_reason="stop"),
        request,
    )


_ALLOWED = {"get_weather": parameters("city"), "add_note": parameters("title")}

_WITHHELD = [
    Row(
        "not on offer, because of tool_choice none",
        [f"{THOUGHT}{CALL}", SORRY],
        Want("Sorry.", notes=["call_dropped"]),
        Request(WEATHER, tool_choice="none"),
    ),
    Row(
        "not on offer, because of tool_choice none, with a bare name",
        [f"{THOUGHT}<|channel|>commentary get_weather{JSON}<|message|>{ARGUMENTS}<|call|>", SORRY],
        Want("Sorry.", notes=["call_dropped"]),
        Request(WEATHER, tool_choice="none"),
    ),
    Row(
        "not on offer, because of the allowed tools",
        [f"{THOUGHT}{CALL}", SORRY],
        Want("Sorry."),
        Request(_ALLOWED, allowed=("add_note",)),
        skipped={"machine": NO_OPTION, "plugin": NO_OPTION},
    ),
    Row(
        "on offer, because it is allowed",
        [f"{THOUGHT}{CALL}"],
        Want("", OSLO, notes=None),
        Request(_ALLOWED, allowed=("get_weather",)),
        skipped={"machine": NO_OPTION, "plugin": NO_OPTION},
    ),
]

_OTHERS = [
    Row(
        "not on offer, after a preamble",
        [
            f"{THOUGHT}<|channel|>commentary<|message|>Let me look.{NEXT}"
            f"<|channel|>commentary to=functions.delete_all{JSON}<|message|>{ARGUMENTS}<|call|>",
            SORRY,
        ],
        Want("Let me look.\n\nSorry.", notes=["call_dropped"]),
        Request(WEATHER),
    ),
    Row(
        "not on offer, after an answer",
        [
            f"{THOUGHT}{FINAL}The answer<|end|>{START}"
            f"<|channel|>commentary to=functions.delete_all{JSON}<|message|>{ARGUMENTS}<|call|>",
            SORRY,
        ],
        Want("The answer", notes=["call_dropped"]),
        Request(WEATHER),
    ),
    Row(
        "not on offer, beside one that is",
        [
            f"{THOUGHT}<|channel|>commentary to=functions.delete_all{JSON}<|message|>{ARGUMENTS}{NEXT}{CALL}",
            SORRY,
        ],
        Want("", OSLO, notes=["call_dropped"]),
        Request(WEATHER),
    ),
    Row(
        "not on offer, after one that is",
        [
            f"{THOUGHT}<|channel|>commentary to=functions.get_weather{JSON}<|message|>{ARGUMENTS}{NEXT}"
            f"<|channel|>commentary to=functions.delete_all{JSON}<|message|>{ARGUMENTS}<|call|>",
            SORRY,
        ],
        Want("", OSLO, notes=["call_dropped"]),
        Request(WEATHER),
    ),
    Row(
        "not on offer, with a stop string",
        [
            f"{THOUGHT}<|channel|>commentary to=functions.delete_all{JSON}<|message|>{ARGUMENTS}<|call|>",
            *STOPPED.further,
        ],
        Want("The answer ", notes=["call_dropped"]),
        STOPPED.request,
    ),
    Row(
        "not on offer, with effort none",
        [f"<|channel|>commentary to=functions.delete_all{JSON}<|message|>{ARGUMENTS}<|call|>", SORRY],
        Want("Sorry.", notes=["call_dropped"]),
        Request(WEATHER, effort="none"),
    ),
]


def _offers(name: str) -> Mapping[str, Request]:
    offers: dict[str, Request] = {"one tool": Request(WEATHER), "no tools": Request()}
    if name in ("an unknown tool", "python"):
        offers |= {"two tools": Request(TWO_TOOLS), "a schema": SCHEMA.request}
    return offers


ROWS = [
    *spread(
        [
            _call(name, header, text, request, offer)
            for name, (header, text) in CALLS.items()
            for offer, request in _offers(name).items()
        ],
        7,
    ),
    *_WITHHELD,
    *_OTHERS,
]
