"""Hypothesis strategies for slips: messages with parts that are lost, doubled, swapped, or mixed with text.

`reading` says which messages such a text certainly contains, without the reader that is under test.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import NamedTuple

from hypothesis import strategies as st

from llm_gpt_oss.harmony.markers import CALL, CHANNEL, CONSTRAIN, END, MESSAGE, RETURN, START

ROLES = ["assistant"] * 6 + ["", "assistantassistant", "user", "functions.get_weather to=assistant"]
CHANNELS = [
    *("final", "analysis", "commentary") * 3,
    *("", "??", "Final", "anaylsis", "comment", "plan", "analysisfinal", "finally"),
]
RECIPIENTS = [
    *[" to=functions.get_weather"] * 4,
    *(" to=functions.add_note", " to=get_weather", " functions.get_weather", " get_weather"),
    *(" to=functions.get_weather()", ' to="functions.get_weather"', " to=functions. get_weather"),
    *(" to=functions.delete_all", " to=python", " to=user", " to=all", " to=", " to=functions."),
]
FORMATS: list[list[str]] = [
    [" ", CONSTRAIN, "json"],
    [" ", CONSTRAIN, "json"],
    [" json"],
    [],
    [CONSTRAIN],
    [" code"],
]
# Free text at a joint. No header has these words.
JUNK = ["Oops", " Well.", "\n", "The result is 5.", "}", " ", "…", "Let me look\n\n"]


class Mutation(NamedTuple):
    "A change of the parts of a message. `place` is from 0, the first part, to 1, the last one."

    kind: str
    place: float
    text: str


MUTATIONS = st.builds(
    Mutation,
    st.sampled_from(["lose", "double", "swap", "insert"]),
    st.floats(0, 0.999),
    st.sampled_from([*JUNK, START, END, MESSAGE, CHANNEL, CONSTRAIN]),
)


@st.composite
def _whole_parts(draw: st.DrawFn, number: int) -> list[str]:
    "Draw the parts of a message. Its body contains the number, so no other message has the same."
    start = [START, draw(st.sampled_from(ROLES))] if number else []
    header = [CHANNEL, draw(st.sampled_from(CHANNELS))]
    is_call = draw(st.booleans())
    if is_call:
        header = [CHANNEL, "commentary"] if draw(st.booleans()) else header
        header += [draw(st.sampled_from(RECIPIENTS)), *draw(st.sampled_from(FORMATS))]
        key = draw(st.sampled_from(["city", "city", "city", "title", "town"]))
        body = draw(st.sampled_from([json.dumps({key: f"C{number}"})] * 3 + ["{}", '{"city":', f"C{number}"]))
    else:
        body = draw(st.sampled_from([f"Body {number}."] * 3 + ["", " ", f"Body {number}.\n\nMore."]))
    end = draw(st.sampled_from([END, END, END, END, RETURN, CALL]))
    return [*start, *header, MESSAGE, body, end]


def _mutated(parts: list[str], mutation: Mutation) -> list[str]:
    place = int(mutation.place * len(parts))
    match mutation.kind:
        case "lose":
            return [*parts[:place], *parts[place + 1 :]]
        case "double":
            return [*parts[: place + 1], *parts[place:]]
        case "swap":
            swapped = parts[place : place + 2][::-1]
            return [*parts[:place], *swapped, *parts[place + 2 :]]
        case _:
            return [*parts[:place], mutation.text, *parts[place:]]


@st.composite
def texts(draw: st.DrawFn) -> str:
    "Draw the text of a completion: up to four messages, about half of them without a mistake."
    parts: list[str] = []
    for number in range(draw(st.integers(0, 4))):
        message = draw(_whole_parts(number))
        mutations: Sequence[Mutation] = draw(st.just([]) | st.lists(MUTATIONS, max_size=3))
        for mutation in mutations:
            message = _mutated(message, mutation) if message else message
        parts += message
    if not parts:
        parts = [draw(st.sampled_from(["", *JUNK]))]
    return "".join(parts)
