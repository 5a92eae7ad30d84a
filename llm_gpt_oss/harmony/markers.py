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
_NAMES = (
    r"startoftext|endoftext|return|constrain|channel|start|end|message|call"
    r"|endofprompt|refusal|untrusted|end_untrusted|reserved_[0-9]+"
)
_SPECIAL = re.compile(rf"<(?=\|(?:{_NAMES})\|>)")
_NEUTRALISED = re.compile(rf"<{WORD_JOINER}(?=\|(?:{_NAMES})\|>)")
# The beginning of a neutralised token at the end of a text. No name is longer than 24 characters.
_NEUTRALISED_BEGINNING = re.compile(rf"<(?:{WORD_JOINER}(?:\|[a-z_0-9]{{0,24}}\|?)?)?\Z")


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
    return _SPECIAL.sub(f"<{WORD_JOINER}", text) if "<" in text else text


def restore(text: str) -> str:
    """Undo `neutralise` in a text that the model copied from its prompt.

    If the original text had a word joiner in the same place, it is lost.
    """
    return _NEUTRALISED.sub("<", text) if WORD_JOINER in text else text


def ends_inside_neutralised(text: str) -> bool:
    "Whether the text ends with what may be the beginning of a neutralised token."
    return _NEUTRALISED_BEGINNING.search(text, max(0, len(text) - 32)) is not None
