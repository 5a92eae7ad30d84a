"JSON as its standard has it: what can be sent on to any parser, and what SQLite reads in the log."

from __future__ import annotations

import json
from typing import Any

from pydantic_core import from_json, to_json


def parse_json(text: str | bytes) -> Any:
    """Raises ValueError for what only some parsers take: halves of surrogate pairs, NaN, numbers that are out
    of range; and for what is nested more than 200 deep, which is the parser's own bound."""
    value = from_json(text, allow_inf_nan=False)
    # 1e999 was read as infinity. `to_json` finds the word four times as fast as `json.dumps` finds the
    # number.
    if b"Infinity" in to_json(value, inf_nan_mode="constants"):
        json.dumps(value, allow_nan=False)
    return value
