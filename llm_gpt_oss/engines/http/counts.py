"""Counts and times that a server reports at the end of a stream.

They only inform. A wrong one is left out, since it must cost neither the answer nor its turn in the log.
"""

from __future__ import annotations

# More tokens than any context has, and no more than databases and clients can hold.
MAX_TOKENS = 2**31 - 1
# Longer times are wrong: Ollama sometimes reports 292 years, or minus that.
MAX_MILLISECONDS = 7 * 24 * 3600 * 1000


def token_count(value: object) -> int | None:
    return value if type(value) is int and 0 <= value <= MAX_TOKENS else None


def milliseconds(value: object) -> float | None:
    return value if isinstance(value, int | float) and 0 <= value < MAX_MILLISECONDS else None
