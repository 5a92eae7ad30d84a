"""Reads JSON of llm's tables, into which other programs may have written.

One value that nobody expected must not fail a page or an export.
"""

from __future__ import annotations

import json
from typing import Any

# Larger counts and times are mistakes, as for the views of the log.
MAX_NUMBER = 1e15


def read_value(text: str | bytes | None) -> Any:
    "The value, None for what is not JSON."
    try:
        return json.loads(text) if text else None
    except (ValueError, RecursionError):
        return None


def read_object(text: str | bytes | None) -> dict[str, Any]:
    "The object, an empty one for everything else."
    return object_or_empty(read_value(text))


def object_or_empty(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def number(value: Any) -> Any:
    "A count or a time, None for what is not one."
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return value if is_number and 0 <= value <= MAX_NUMBER else None


def as_text(value: Any) -> str | None:
    "The text, other values as JSON, so that they can be shown."
    return value if value is None or isinstance(value, str) else json.dumps(value)
