"""Recipients that are not tools: people, roles, nobody, a marker in place of a name. They make no calls."""

from __future__ import annotations

from support.slips.row import FINAL, NEXT, THOUGHT, Request, Row, Want, spread
from support.slips.shapes import ARGUMENTS, SCHEMA, SORRY, STOPPED, TWO_TOOLS, WEATHER

START = "<|start|>assistant"

NOBODY = {
    "user": " to=user",
    "all": " to=all",
    "assistant": " to=assistant",
    "system": " to=system",
    "developer": " to=developer",
    "everyone in capitals": " to=User",
    "nobody": " to=",
    "nobody and a space": " to= ",
    "a constrain marker": " to=<|constrain|>json",
    "a format": " to=json",
    "quotes": ' to=""',
    "question marks": " to=??",
}

# A recipient that has the place of a tool's name, but no name.
NAMELESS = {
    "functions": " to=functions",
    "functions and a dot": " to=functions.",
    "functions and a bracket": " to=functions.()",
    "functions, a dot, a constrain marker": " to=functions.<|constrain|>json",
    "functions and question marks": " to=functions.??",
}


def _answers(name: str, recipient: str) -> list[Row]:
    "The rows of an answer, a preamble and a thought with this recipient."
    answer = f"{THOUGHT}<|channel|>final{recipient}<|message|>The answer is 4.<|return|>"
    preamble = f"<|channel|>commentary{recipient}<|message|>Let me look.{NEXT}"
    thought = f"<|channel|>analysis{recipient}<|message|>Think.{NEXT}"
    shown = "Let me look.\n\nThe answer is 4."
    rest = f"{FINAL}The answer is 4.<|return|>"
    return [
        Row(f"to {name}, an answer", [answer, SORRY], Want("The answer is 4.", notes=None), Request(WEATHER)),
        Row(f"to {name}, an answer, no tools", [answer, SORRY], Want("The answer is 4.", notes=None)),
        Row(
            f"to {name}, a preamble",
            [preamble + rest, "The answer is 4."],
            [Want("The answer is 4.", notes=None), Want(shown, notes=None)],
            Request(WEATHER),
        ),
        Row(
            f"to {name}, a thought",
            [thought + rest, "The answer is 4."],
            Want("The answer is 4.", reasoning="Think.", notes=None),
            Request(WEATHER),
        ),
    ]


def _nameless(name: str, recipient: str, tools: dict[str, dict[str, object]]) -> Row:
    "The text of such a message may be shown as a preamble is, or dropped."
    header = f"<|channel|>commentary{recipient} <|constrain|>json<|message|>"
    count = "one tool" if len(tools) == 1 else "two tools"
    return Row(
        f"to {name}, {count}",
        [f"{THOUGHT}{header}{ARGUMENTS}<|call|>", SORRY],
        [Want("Sorry."), Want(f"{ARGUMENTS}\n\nSorry."), Want(ARGUMENTS)],
        Request(tools),
    )


_BEFORE_THE_CHANNEL = [
    Row(
        f"to {name}, before the channel",
        [f" to={name}{FINAL}The answer is 4.<|return|>", SORRY],
        Want("The answer is 4.", notes=None),
        Request(WEATHER),
    )
    for name in ("user", "all")
]

ROWS = [
    *spread([row for name, recipient in NOBODY.items() for row in _answers(name, recipient)], 5),
    *spread(
        [
            _nameless(name, recipient, tools)
            for name, recipient in NAMELESS.items()
            for tools in (WEATHER, TWO_TOOLS)
        ],
        3,
    ),
    *spread(
        [
            _nameless(f"{name} with arguments", NOBODY[name], WEATHER)
            for name in ("nobody", "a constrain marker", "user", "assistant", "quotes")
        ],
        2,
    ),
    *_BEFORE_THE_CHANNEL,
    Row(
        "to user, with a stop string",
        [f"{THOUGHT}<|channel|>final to=user<|message|>The answer STOP more<|return|>", *STOPPED.further],
        Want("The answer ", notes=None),
        STOPPED.request,
    ),
    Row(
        "to user, with a schema",
        [f'{THOUGHT}<|channel|>final to=user<|message|>{{"n": 1}}<|return|>', *SCHEMA.further],
        Want(SCHEMA.want.text, notes=None),
        SCHEMA.request,
    ),
    Row(
        "to user, a preamble with a schema",
        [
            f"{THOUGHT}<|channel|>commentary to=user<|message|>Look.{NEXT}{FINAL}{SCHEMA.want.text}",
            *SCHEMA.further,
        ],
        Want(SCHEMA.want.text, notes=None),
        SCHEMA.request,
    ),
    Row(
        "to all, a preamble before a call",
        [
            f"{THOUGHT}<|channel|>commentary to=all<|message|>Let me look.{NEXT}"
            f"<|channel|>commentary to=functions.get_weather <|constrain|>json<|message|>{ARGUMENTS}<|call|>"
        ],
        [Want(text, [("get_weather", {"city": "Oslo"})], notes=None) for text in ("", "Let me look.")],
        Request(WEATHER),
    ),
]
