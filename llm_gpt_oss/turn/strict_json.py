"Strict JSON: every parser accepts it, and SQLite can read it in the log."

from __future__ import annotations

import json
from typing import Any

from pydantic_core import from_json, to_json


def parse_json(text: str | bytes) -> Any:
    """Parse JSON. Raises ValueError for what only some parsers accept, and for nesting deeper than 200.

    These are single surrogates, NaN and infinity, and numbers out of range. The depth is pydantic's limit.
    """
    value = from_json(text, allow_inf_nan=False)
    # 1e999 was read as infinity. `to_json` finds the word four times as fast as `json.dumps` finds the
    # number.
    if b"Infinity" in to_json(value, inf_nan_mode="constants"):
        json.dumps(value, allow_nan=False)
    return value
