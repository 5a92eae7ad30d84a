"""What the model is writing at the moment, for somebody who watches a turn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

# Characters at the end of a text that are shown of it.
TAIL = 240
# Pieces that are looked at for them. Most have several characters.
MAX_PIECES = 400

MessageType = Literal["reasoning", "answer", "call"]


@dataclass(frozen=True, slots=True)
class Progress:
    """The `tokens` of the turn so far, and what the current message is; None between two messages.

    `tool` is the tool of a call. `text` is the end of the message.
    """

    tokens: int
    message: MessageType | None = None
    tool: str | None = None
    text: str = ""


def end_of_text(pieces: Sequence[str]) -> str:
    "Return the end of the text, in one line. The time does not depend on the length of the text."
    found: list[str] = []
    length = 0
    for index in range(len(pieces) - 1, max(-1, len(pieces) - 1 - MAX_PIECES), -1):
        piece = pieces[index][-TAIL:]
        found.append(piece)
        length += len(piece)
        if length >= TAIL:
            break
    return " ".join("".join(reversed(found))[-TAIL:].split())
