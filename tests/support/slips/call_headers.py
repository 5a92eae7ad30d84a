"""Headers of calls. The word in the recipient's place is the tool on offer, however it is spelled.

The word is stripped of everything that is not part of a name. Then exactly one tool on offer must match.
"""

from __future__ import annotations

from collections.abc import Mapping

from support.slips.row import FINAL, NEXT, NONE, THOUGHT, Json, Notes, Request, Row, Want, spelled, spread
from support.slips.shapes import ARGUMENTS, OSLO, SCHEMA, SORRY, TWO_TOOLS, WEATHER, parameters

START = "<|start|>assistant"
RENAMED = ["renamed"]
JSON = " <|constrain|>json"

# What follows `<|channel|>commentary`, and the notes that the turn has.
SPELLINGS: dict[str, tuple[str, Notes]] = {
    "as it should be": (f" to=functions.get_weather{JSON}", NONE),
    "no to": (f" functions.get_weather{JSON}", RENAMED),
    "a bare name": (f" get_weather{JSON}", RENAMED),
    "a bare name and no format": (" get_weather", RENAMED),
    "no functions": (f" to=get_weather{JSON}", ["renamed", "mended"]),
    "function": (f" to=function.get_weather{JSON}", RENAMED),
    "functions twice": (f" to=functions.functions.get_weather{JSON}", RENAMED),
    "functions three times": (f" to=functions.functions.functions.get_weather{JSON}", RENAMED),
    "function and functions": (f" to=function.functions.get_weather{JSON}", RENAMED),
    "functions in capitals": (f" to=Functions.get_weather{JSON}", RENAMED),
    "double quotes": (f' to="functions.get_weather"{JSON}', RENAMED),
    "single quotes": (f" to='functions.get_weather'{JSON}", RENAMED),
    "backticks": (f" to=`functions.get_weather`{JSON}", RENAMED),
    "the name in quotes": (f' to=functions."get_weather"{JSON}', RENAMED),
    "a quoted bare name": (f' to="get_weather"{JSON}', RENAMED),
    "one quote": (f' to=functions.get_weather"{JSON}', RENAMED),
    "brackets": (f" to=functions.get_weather(){JSON}", RENAMED),
    "an open bracket": (f" to=functions.get_weather({JSON}", RENAMED),
    "a bare name with brackets": (f" to=get_weather(){JSON}", RENAMED),
    "angle brackets": (f" to=<functions.get_weather>{JSON}", RENAMED),
    "square brackets": (f" to=[functions.get_weather]{JSON}", RENAMED),
    "a question mark": (f" to=functions.get_weather?{JSON}", RENAMED),
    "two question marks": (f" to=functions.get_weather??{JSON}", RENAMED),
    "an exclamation mark": (f" to=functions.get_weather!{JSON}", RENAMED),
    "a comma": (f" to=functions.get_weather,{JSON}", RENAMED),
    "a full stop": (f" to=functions.get_weather.{JSON}", RENAMED),
    "a colon": (f" to=functions.get_weather:{JSON}", RENAMED),
    "a colon and a format": (" to=functions.get_weather:json", RENAMED),
    "a colon, a format and a marker": (f" to=functions.get_weather:json{JSON}", RENAMED),
    "a semicolon": (f" to=functions.get_weather;{JSON}", RENAMED),
    "a space after the dot": (f" to=functions. get_weather{JSON}", RENAMED),
    "spaces after the dot": (f" to=functions.   get_weather{JSON}", RENAMED),
    "a line after the dot": (f" to=functions.\nget_weather{JSON}", RENAMED),
    "a space before the dot": (f" to=functions .get_weather{JSON}", RENAMED),
    "a space after the equals sign": (f" to= functions.get_weather{JSON}", None),
    "a space before the equals sign": (f" to =functions.get_weather{JSON}", RENAMED),
    "a colon after to": (f" to:functions.get_weather{JSON}", RENAMED),
    "to in capitals": (f" TO=functions.get_weather{JSON}", RENAMED),
    "to twice": (f" to=to=functions.get_weather{JSON}", RENAMED),
    "the recipient twice": (f" to=functions.get_weather to=functions.get_weather{JSON}", None),
    "a format glued to the name": (f" to=functions.get_weatherjson{JSON}", RENAMED),
    "a format glued to the name alone": (" to=functions.get_weatherjson", RENAMED),
    "a format glued to a bare name": (" to=get_weatherjson", RENAMED),
    "code glued to the name": (" to=functions.get_weathercode", RENAMED),
    "a marker glued to the name": (" to=functions.get_weather<|constrain|>json", None),
    "the channel glued to the name": (f" to=functions.get_weathercommentary{JSON}", RENAMED),
    "the channel after the name": (f" to=functions.get_weather commentary{JSON}", None),
    "a format without its marker": (" to=functions.get_weather json", None),
    "code": (" to=functions.get_weather code", None),
    "no format": (" to=functions.get_weather", None),
    "an empty format": (" to=functions.get_weather <|constrain|>", None),
    "a format in capitals": (" to=functions.get_weather <|constrain|>JSON", None),
    "another format": (" to=functions.get_weather <|constrain|>python", None),
    "a space in the format": (" to=functions.get_weather <|constrain|> json", None),
    "the format twice": (f" to=functions.get_weather{JSON}{JSON}", None),
    "its marker twice": (" to=functions.get_weather <|constrain|><|constrain|>json", None),
    "the format and the word": (f" to=functions.get_weather{JSON} json", None),
    "the format before the recipient": (f"{JSON} to=functions.get_weather", None),
    "a slash": (f" to=functions/get_weather{JSON}", RENAMED),
    "a colon for the dot": (f" to=functions:get_weather{JSON}", RENAMED),
    "no dot": (f" to=functions get_weather{JSON}", RENAMED),
    "two dots": (f" to=functions..get_weather{JSON}", RENAMED),
    "no space before it": (f"to=functions.get_weather{JSON}", None),
    "the channel twice": (f"<|channel|>commentary to=functions.get_weather{JSON}", None),
    "the channel after it once more": (f" to=functions.get_weather<|channel|>commentary{JSON}", None),
    "another channel after it": (f" to=functions.get_weather<|channel|>analysis{JSON}", None),
}

# Whole headers, from the role on.
PLACES: dict[str, tuple[str, Notes]] = {
    "in the role": (f" to=functions.get_weather<|channel|>commentary{JSON}", None),
    "in the role, with no to": (f" functions.get_weather<|channel|>commentary{JSON}", RENAMED),
    "in the role, a bare name": (f" get_weather<|channel|>commentary{JSON}", RENAMED),
    "in the role, with no functions": (f" to=get_weather<|channel|>commentary{JSON}", ["renamed", "mended"]),
    "in the role, quoted": (f' to="functions.get_weather"<|channel|>commentary{JSON}', RENAMED),
    "in the role, with brackets": (f" to=functions.get_weather()<|channel|>commentary{JSON}", RENAMED),
    "in the role, glued to it": (f"to=functions.get_weather<|channel|>commentary{JSON}", None),
    "in the role and after the channel": (
        f" to=functions.get_weather<|channel|>commentary to=functions.get_weather{JSON}",
        None,
    ),
    "with no channel": (f" to=functions.get_weather{JSON}", None),
    "on the channel analysis": (f"<|channel|>analysis to=functions.get_weather{JSON}", None),
    "on the channel analysis, as code": ("<|channel|>analysis to=functions.get_weather code", None),
    "on the channel analysis, in the role": (" to=functions.get_weather<|channel|>analysis code", None),
    "on the channel analysis, with no to": (f"<|channel|>analysis functions.get_weather{JSON}", RENAMED),
    "on the channel final": (f"<|channel|>final to=functions.get_weather{JSON}", None),
    "on the channel comment": (f"<|channel|>comment to=functions.get_weather{JSON}", None),
    "on a channel in capitals": (f"<|channel|>Commentary to=functions.get_weather{JSON}", None),
    "on a channel of its own": (f"<|channel|>tool to=functions.get_weather{JSON}", None),
    "on a channel of question marks": (f"<|channel|>?? to=functions.get_weather{JSON}", None),
    "with an empty channel": (f"<|channel|> to=functions.get_weather{JSON}", None),
    "as the channel, with to": (f"<|channel|>to=functions.get_weather{JSON}", None),
    "after the channel without a space": (f"<|channel|>commentaryto=functions.get_weather{JSON}", None),
    "after two starts": (f"{START}<|channel|>commentary to=functions.get_weather{JSON}", None),
}

# Names that need more than stripping. The call is given out, or dropped and the answer opened.
NEARLY = {
    "other case": " to=functions.Get_Weather",
    "capitals": " to=functions.GET_WEATHER",
    "a dash": " to=functions.get-weather",
    "a dot": " to=functions.get.weather",
    "no underscore": " to=functions.getweather",
    "humps": " to=functions.getWeather",
}


def _spelling(name: str, text: str, notes: Notes, tools: Mapping[str, Json]) -> Row:
    count = "one tool" if len(tools) == 1 else "two tools"
    return Row(
        f"call's header, {name}, {count}",
        [f"{THOUGHT}<|channel|>commentary{text}<|message|>{ARGUMENTS}<|call|>", SORRY],
        Want("", OSLO, notes=notes, finish_reason="tool_calls", reasoning="Think."),
        Request(tools),
    )


def _place(name: str, text: str, notes: Notes, before: str) -> Row:
    where = "at once" if not before else "after a thought"
    return Row(
        f"call {name}, {where}",
        [f"{before}{text}<|message|>{ARGUMENTS}<|call|>", SORRY],
        Want("", OSLO, notes=notes, finish_reason="tool_calls"),
        Request(WEATHER),
    )


_SIMILAR = {
    "get_weather": parameters("city"),
    "get_weatherjson": parameters("city"),
    "functions.get_weather": parameters("city"),
}


def _exact(name: str) -> Row:
    return Row(
        f"call's header, a name that is on offer as it is: {name}",
        [f"{THOUGHT}<|channel|>commentary to=functions.{name}{JSON}<|message|>{ARGUMENTS}<|call|>"],
        Want("", [(name, {"city": "Oslo"})], notes=NONE),
        Request(_SIMILAR),
        skipped={"responses": "a name has no dots there"},
    )


_NAME_STEP = {
    "as it should be": (".get_weather", NONE),
    "brackets": (".get_weather()", None),
    "functions twice": (".functions.get_weather", None),
    "a space after the dot": (". get_weather", None),
    "no dot": ("get_weather", None),
    "quotes": ('."get_weather"', None),
    "a format glued to it": (".get_weatherjson", None),
    "a misspelt name": (".get_wether", RENAMED),
}

_REQUIRED = [
    Row(
        f"a required call, {name}",
        [f"Think.{NEXT}", f"{text}{JSON}<|message|>{ARGUMENTS}<|call|>", ARGUMENTS],
        Want("", OSLO, notes=notes, finish_reason="tool_calls"),
        Request(TWO_TOOLS, tool_choice="required"),
    )
    for name, (text, notes) in _NAME_STEP.items()
]

_NO_MESSAGE = [
    Row(
        f"call's header, no message, {name}",
        [f"{THOUGHT}<|channel|>commentary to=functions.get_weather{text}{ARGUMENTS}<|call|>", ARGUMENTS],
        Want("", OSLO),
        Request(WEATHER),
    )
    for name, text in {"a format": JSON, "no format": " ", "a word": " json", "a line": f"{JSON}\n"}.items()
]

_OTHERS = [
    Row(
        "call's header, a marker's text in the name is no header",
        [f"{THOUGHT}{FINAL}{spelled(START)} to=functions.get_weather<|return|>"],
        Want(f"{START} to=functions.get_weather", notes=None),
        Request(WEATHER),
    ),
    Row(
        "call's header, two calls, each spelled in another way",
        [
            f"{THOUGHT}<|channel|>commentary get_weather{JSON}<|message|>{ARGUMENTS}{NEXT}"
            f'<|channel|>commentary to=function.add_note{JSON}<|message|>{{"title":"Hi"}}<|call|>'
        ],
        Want("", [*OSLO, ("add_note", {"title": "Hi"})], notes=RENAMED),
        Request(TWO_TOOLS),
    ),
    Row(
        "call's header, with a schema",
        [f"{THOUGHT}<|channel|>commentary get_weather{JSON}<|message|>{ARGUMENTS}<|call|>", *SCHEMA.further],
        Want("", OSLO, notes=RENAMED),
        Request(WEATHER, schema=SCHEMA.request.schema),
    ),
    Row(
        "call's header, with a stop string",
        [f"{THOUGHT}<|channel|>commentary functions.get_weather{JSON}<|message|>{ARGUMENTS}<|call|>", SORRY],
        Want("", OSLO, notes=RENAMED),
        Request(WEATHER, stop=("STOP",)),
    ),
    Row(
        "call's header, after a preamble",
        [
            f"{THOUGHT}<|channel|>commentary<|message|>Let me look.{NEXT}"
            f"<|channel|>commentary get_weather{JSON}<|message|>{ARGUMENTS}<|call|>"
        ],
        Want("Let me look.", OSLO, notes=RENAMED),
        Request(WEATHER),
    ),
    Row(
        "call's header, a preamble that begins with a tool's name",
        [f"{THOUGHT}<|channel|>commentary<|message|>get_weather will help.{NEXT}{FINAL}It is 4.<|return|>"],
        Want("get_weather will help.\n\nIt is 4.", notes=NONE),
        Request(WEATHER),
    ),
]

ROWS = [
    *spread(
        [
            _spelling(name, text, notes, tools)
            for name, (text, notes) in SPELLINGS.items()
            for tools in (WEATHER, TWO_TOOLS)
        ],
        11,
    ),
    *spread(
        [
            _place(name, text, notes, before)
            for name, (text, notes) in PLACES.items()
            for before in ("", THOUGHT)
        ],
        5,
    ),
    *spread(
        [
            Row(
                f"call's header, nearly: {name}",
                [f"{THOUGHT}<|channel|>commentary{text}{JSON}<|message|>{ARGUMENTS}<|call|>", SORRY],
                [Want("", OSLO), Want("Sorry.")],
                Request(WEATHER),
            )
            for name, text in NEARLY.items()
        ],
        3,
    ),
    *map(_exact, _SIMILAR),
    *spread(_REQUIRED, 3),
    *spread(_NO_MESSAGE, 2),
    *_OTHERS,
]
