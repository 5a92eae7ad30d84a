"""Find the tool that the recipient of a call means.

The recipient of a call is `functions.NAME`. Models write it in other ways too, such as `NAME`,
`function.NAME`, `functions.NAME()` or `functions.NAMEjson`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence, Set
from functools import lru_cache
from itertools import takewhile
from string import punctuation
from typing import NamedTuple

from .conversation import CHANNELS

NAMESPACE = "functions."

# Recipients that are not tools. Models address users, everyone, themselves, and words of the header itself.
_NO_TOOL = {"user", "all", "assistant", "system", "developer", "everyone", "none", "json", *CHANNELS}

_QUOTES = str.maketrans("", "", "\"'`*")
_BEFORE_NAME = re.compile(r"\W*(?:to[=:]|(?:functions?|tools?)(?:->|[.:/\[({]+))*", re.IGNORECASE)
# What follows the recipient in a header, and may be glued to it.
_GLUED = re.compile(rf"(?:[._-]*(?:json|code|text|{'|'.join(CHANNELS)}))+", re.IGNORECASE)


def is_name_character(char: str) -> bool:
    """Whether a tool's name may have this character: a letter, mark or digit of any script, or `_`, `.`, `-`.

    Hyphens and dots are not valid TypeScript, but the model reads and writes them correctly.
    """
    return char in "_.-" or char.isalnum() or unicodedata.category(char).startswith("M")


def names_no_tool(recipient: str) -> bool:
    name = recipient.strip(punctuation).casefold()
    return not name or name in _NO_TOOL


def tool_on_offer(recipient: str, tools: Sequence[str]) -> str | None:
    """Return the tool that the recipient means, or None if that is not certain.

    The recipient is stripped of everything that is not part of a name. Then exactly one tool must match.
    """
    if (name := recipient.removeprefix(NAMESPACE)) in tools:
        return name
    written = recipient.translate(_QUOTES)
    name = "".join(takewhile(is_name_character, _BEFORE_NAME.sub("", written, count=1)))
    if not name or name in tools:
        return name or None
    index = _index(tuple(tools))
    matches = index.by_letters.get(_letters(name)) or [
        name[:length]
        for length in index.lengths
        if name[:length] in index.names and _GLUED.fullmatch(name, length)
    ]
    return matches[0] if len(matches) == 1 else None


class _ToolIndex(NamedTuple):
    "Tools by the letters of their names, their names, and the lengths of these."

    by_letters: Mapping[str, Sequence[str]]
    names: Set[str]
    lengths: Set[int]


# A prompt can have thousands of tools, and a message thousands of calls.
@lru_cache(maxsize=8)
def _index(tools: tuple[str, ...]) -> _ToolIndex:
    by_letters: dict[str, list[str]] = {}
    for tool in tools:
        by_letters.setdefault(_letters(tool), []).append(tool)
    return _ToolIndex(by_letters, frozenset(tools), frozenset(map(len, tools)))


def _letters(name: str) -> str:
    return re.sub(r"[_.-]", "", name).casefold()
