"""The special tokens of the harmony vocabulary, as text. The project calls them markers."""

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

# All special tokens of o200k_harmony, and those that openai/harmony's renderer knows.
_SPECIAL = re.compile(
    r"<(?=\|(?:startoftext|endoftext|return|constrain|channel|start|end|message|call"
    r"|endofprompt|refusal|untrusted|end_untrusted|reserved_[0-9]+)\|>)"
)


def length_before_partial_marker(text: str) -> int:
    """Return the length of the text before an incomplete marker at its end, such as `<|en`.

    Without an incomplete marker, it is the length of the whole text.
    """
    begins = text.rfind("<")
    rest = text[begins:]
    is_partial = begins >= 0 and any(marker.startswith(rest) and marker != rest for marker in MARKERS)
    return begins if is_partial else len(text)


def neutralise(text: str) -> str:
    "Insert a word joiner into each special token, so that it is tokenized as text. Other text stays."
    return _SPECIAL.sub(f"<{WORD_JOINER}", text) if "<|" in text else text
