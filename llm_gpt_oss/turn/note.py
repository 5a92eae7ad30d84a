"""What a reader of the log should know about a turn. `docs/log.md` lists the kinds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Note:
    "`kind` is for queries, `text` for people. `raw` is the model's own text if it was changed."

    kind: str
    text: str
    raw: str | None = None
