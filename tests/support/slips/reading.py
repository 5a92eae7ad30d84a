"""What a model's text certainly contains: a second, strict reader, which the tests compare with ours.

- A body is the text between a `<|message|>` and the next marker that ends or begins a message. If a text has
  neither `<|message|>` nor `<|channel|>`, all of it is one body.
- A message is *there* if its header is exactly as harmony defines it, if it is at the beginning of the text
  or after `<|start|>assistant`, and if it ends with `<|end|>`, `<|return|>`, `<|call|>` or the end of the
  text. After a message that the model wrote in the name of somebody else, no message is there.
- A final message is there only if nothing before it looks like a call. The model makes up what follows a
  call.
- A call that is there is *readable* if its arguments are a JSON object.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from llm_gpt_oss.harmony.markers import CALL, CHANNEL, CONSTRAIN, END, MESSAGE, RETURN, START
from support.slips.row import Json, Token

_OTHERS = re.compile(r"(?<!to=)\buser\b|to=assistant")
_CALL = re.compile(r"to=|functions|get_weather")
_RECIPIENT = re.compile(r"commentary to=functions\.(\w+) ?")


class Segment(NamedTuple):
    text: str
    is_marker: bool


def segments(tokens: Sequence[Token]) -> list[Segment]:
    "Join the tokens between two markers."
    joined: list[Segment] = []
    for token in tokens:
        if joined and not token.is_marker and not joined[-1].is_marker:
            joined[-1] = Segment(joined[-1].text + token.text, False)
        else:
            joined.append(Segment(token.text, token.is_marker))
    return joined


def bodies(tokens: Sequence[Token]) -> list[str]:
    "The texts of all messages, in order."
    parts = segments(tokens)
    if not {Segment(MESSAGE, True), Segment(CHANNEL, True)} & {*parts}:
        return [part.text for part in parts if not part.is_marker]
    found: list[str] = []
    is_open = False
    for segment in parts:
        if not segment.is_marker:
            if is_open:
                found[-1] += segment.text
        elif segment.text == MESSAGE and not is_open:
            is_open = True
            found.append("")
        elif segment.text not in (MESSAGE, CONSTRAIN):
            is_open = False
    return found


def answers(tokens: Sequence[Token]) -> list[str]:
    "The texts of the final messages that are there."
    return [body for header, body, calls_before in _there(tokens) if header == "final" and not calls_before]


def readable_calls(tokens: Sequence[Token]) -> list[tuple[str, Json]]:
    "The calls that are there and readable."
    calls = []
    for header, body, _ in _there(tokens):
        match = _RECIPIENT.fullmatch(header)
        try:
            arguments = json.loads(body)
        except ValueError:
            continue
        if match and isinstance(arguments, dict):
            calls.append((match[1], arguments))
    return calls


def _there(tokens: Sequence[Token]) -> Iterator[tuple[str, str, bool]]:
    "Yield the header and the text of each message that is there, and whether a call may be before it."
    parts = segments(tokens)
    texts = [part.text for part in parts]
    calls_before = False
    for position, part in enumerate(parts):
        if not part.is_marker and _OTHERS.search(part.text):
            return
        at_joint = position == 0 or texts[max(0, position - 2) : position] == [START, "assistant"]
        if part == Segment(CHANNEL, True) and at_joint and (message := _message(parts[position + 1 :])):
            header, body = message
            if body.strip():
                yield header, body, calls_before
        calls_before = calls_before or bool(not part.is_marker and _CALL.search(part.text))


def _message(parts: Sequence[Segment]) -> tuple[str, str] | None:
    "Return header and text of the message at the start, if it has exactly the parts that it should have."
    texts = [part.text for part in parts]
    header = texts[:1]
    if texts[1:4] == [CONSTRAIN, "json", MESSAGE]:
        rest = parts[4:]
    elif texts[1:2] == [MESSAGE]:
        rest = parts[2:]
    else:
        return None
    ends = len(rest) == 1 or (len(rest) > 1 and rest[1].text in (END, RETURN, CALL))
    return (header[0], rest[0].text) if ends and not rest[0].is_marker else None
