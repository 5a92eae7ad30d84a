"""The special tokens of harmony's vocabulary, as text."""

from __future__ import annotations

import re

START = "<|start|>"
END = "<|end|>"
MESSAGE = "<|message|>"
CHANNEL = "<|channel|>"
CONSTRAIN = "<|constrain|>"
RETURN = "<|return|>"
CALL = "<|call|>"

MARKERS = (START, END, MESSAGE, CHANNEL, CONSTRAIN, RETURN, CALL)
MARKER = re.compile("|".join(map(re.escape, MARKERS)))

WORD_JOINER = "\u2060"

_SPECIAL = re.compile(
    r"<(?=\|(?:startoftext|endoftext|return|constrain|channel|start|end|message|call"
    r"|endofprompt|refusal|untrusted|end_untrusted|reserved_[0-9]+)\|>)"
)


def settled_length(text: str) -> int:
    "How much of the text is settled: all of it, or what stands before a marker that has begun."
    begins = text.rfind("<")
    rest = text[begins:]
    cut = begins >= 0 and any(marker.startswith(rest) and marker != rest for marker in MARKERS)
    return begins if cut else len(text)


def neutralise(text: str) -> str:
    "The text with a word joiner in everything that would read as a special token; what is ordinary stays."
    return _SPECIAL.sub(f"<{WORD_JOINER}", text) if "<|" in text else text
