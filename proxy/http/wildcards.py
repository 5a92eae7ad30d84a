"Patterns in which `*` stands for any text."

from __future__ import annotations


def matches(pattern: str, text: str) -> bool:
    """Whether the whole text fits the pattern. The case does not matter.

    Unlike with a regular expression, the time for many stars is not much longer than for one.
    """
    first, *inner = pattern.casefold().split("*")
    text = text.casefold()
    if not inner:
        return text == first
    last = inner.pop()
    start, end = len(first), len(text) - len(last)
    if start > end or not text.startswith(first) or not text.endswith(last):
        return False
    # If the pieces fit at all, they fit where each of them comes first.
    for piece in inner:
        found = text.find(piece, start, end)
        if found < 0:
            return False
        start = found + len(piece)
    return True
