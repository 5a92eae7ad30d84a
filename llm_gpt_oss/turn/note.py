"Notes about unusual events in a turn, for readers of the log."

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

NoteKind = Literal[
    "answer_opened",
    "asked_again",
    "attachment_dropped",
    "busy",
    "call_dropped",
    "call_missing",
    "empty",
    "length",
    "mended",
    "misfit",
    "reasoning_cut",
    "reasoning_dropped",
    "renamed",
    "repaired",
    "retried",
    "spoke_for_others",
    "text_dropped",
    "truncated",
    "unbound",
]

# What each kind means, as Markdown.
MEANINGS: Mapping[str, str] = {
    "empty": "The answer began with a stop string",
    "length": "The answer was cut by `max_tokens` or by the context",
    "truncated": "The oldest turns were left out (`-o truncate 1`)",
    "misfit": "An answer, or the arguments of a tool call, do not fit their schema",
    "repaired": "The arguments of a tool call were repaired",
    "asked_again": "The arguments of a tool call were requested again",
    "renamed": (
        "The model wrote the name of a tool differently, and it can only mean one of the tools on offer. If "
        "a call was required, the tool with the closest name was called"
    ),
    "unbound": "The engine could not constrain the arguments of a call by their schema",
    "call_dropped": (
        "A call was left out: its tool is not on offer, its header is broken, only one call was allowed, or "
        "the turn was cut"
    ),
    "answer_opened": "The model stopped without an answer, so the answer was started for it",
    "reasoning_cut": "The model reasoned beyond its limit, so the rest of its text was left out",
    "text_dropped": "Text that belongs to no message, or that follows a tool call, was left out",
    "mended": (
        "A mistake in the form of a message was repaired: in its header, a marker in its text, or a code "
        "fence around JSON"
    ),
    "spoke_for_others": (
        "The model wrote a message in the name of the user or of a tool, which was left out"
    ),
    "retried": "An empty answer, or one that did not fit its schema, was requested again",
    "busy": "The engine was busy, so the request was sent again",
    "attachment_dropped": (
        "The history has images, audio or files, for which the model got a text such as "
        "`[image: this model cannot see it]`"
    ),
    "reasoning_dropped": (
        "The history has reasoning that only another provider can decrypt, so it was left out"
    ),
    "call_missing": (
        "The history has the result of a tool without the call, and the model got the result alone"
    ),
}


@dataclass(frozen=True, slots=True)
class Note:
    "`kind` is for queries, `text` for people. `raw` is the model's own text if it was changed."

    kind: NoteKind
    text: str
    raw: str | None = None
