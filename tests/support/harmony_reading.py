"""Run the reader of harmony on pieces of text, and collect its events as messages.

messages(["<|channel|>", "final", "<|message|>", "Hi"])   # [(Header("assistant", "final"), "Hi")]
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain, pairwise
from typing import Any

from llm_gpt_oss.completion import Piece
from llm_gpt_oss.harmony.conversation import Header
from llm_gpt_oss.harmony.markers import MARKER, MARKERS
from llm_gpt_oss.harmony.reader import Event, HarmonyReader, MessageEnd, MessageStart, StrayText, TextDelta
from llm_gpt_oss.streaming import translate

# Header, text and end marker.
Collected = tuple[Header, str, str | None]


def split_text(text: str) -> list[str]:
    "Whole markers, and the characters of all other text."
    spans = [(0, 0), *(match.span() for match in MARKER.finditer(text)), (len(text), len(text))]
    parts = [[*text[end:start], text[start:stop]] for (_, end), (start, stop) in pairwise(spans)]
    return [part for part in chain(*parts) if part]


def join_pieces(pieces: list[str], breaks: Iterable[int]) -> list[str]:
    "Join the pieces between the breaks, which are indexes into the list. Markers stay pieces by themselves."
    markers = [index for index, piece in enumerate(pieces) if piece in MARKERS]
    cuts = {0, *breaks, *markers, *(index + 1 for index in markers), len(pieces)}
    return ["".join(pieces[start:end]) for start, end in pairwise(sorted(cuts))]


def read(pieces: Iterable[str | Piece], open_header: Header | None = None, **options: Any) -> list[Event]:
    "The events for the pieces."
    reader = HarmonyReader(open_header, **options)
    return list(translate([Piece(p) if isinstance(p, str) else p for p in pieces], reader))


def collect(events: list[Event], open_header: Header | None = None) -> list[Collected | StrayText]:
    "The messages with their end markers, and stray text. Fails if the events are in an impossible order."
    collected: list[Collected | StrayText] = []
    header, text = open_header, ""
    for event in events:
        match event:
            case MessageStart():
                assert header is None
                header, text = event.header, ""
            case TextDelta():
                assert header is not None
                text += event.text
            case MessageEnd():
                assert header is not None
                collected.append((header, text, event.marker))
                header = None
            case StrayText():
                assert header is None
                collected.append(event)
    assert header is None
    return collected


def messages(
    pieces: Iterable[str], open_header: Header | None = None, **options: Any
) -> list[tuple[Header, str]]:
    "The headers and texts of the messages, without stray text."
    collected = collect(read(pieces, open_header, **options), open_header)
    return [item[:2] for item in collected if not isinstance(item, StrayText)]


def starts(pieces: Iterable[str], **options: Any) -> list[MessageStart]:
    "The starts of all messages."
    return [event for event in read(pieces, **options) if isinstance(event, MessageStart)]
