"""What a reader of the log should know about a turn. `docs/log.md` lists the kinds."""

from __future__ import annotations

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


@dataclass(frozen=True, slots=True)
class Note:
    "`kind` is for queries, `text` for people. `raw` is the model's own text if it was changed."

    kind: NoteKind
    text: str
    raw: str | None = None
