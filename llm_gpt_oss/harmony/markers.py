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

MARKER = re.compile("|".join(map(re.escape, (START, END, MESSAGE, CHANNEL, CONSTRAIN, RETURN, CALL))))

WORD_JOINER = "\u2060"

_SPECIAL = re.compile(
    r"<(?=\|(?:startoftext|endoftext|return|constrain|channel|start|end|message|call"
    r"|endofprompt|refusal|untrusted|end_untrusted|reserved_[0-9]+)\|>)"
)


def neutralise(text: str) -> str:
    "The text with a word joiner in everything that would read as a special token; what is ordinary stays."
    return _SPECIAL.sub(f"<{WORD_JOINER}", text)
