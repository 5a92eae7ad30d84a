"Strict JSON: every parser accepts it, and SQLite can read it in the log."

from __future__ import annotations

import json
import marshal
from typing import Any

from pydantic_core import from_json

# What the eight bytes of infinity, and of its negative, have in common, lowest byte first.
INFINITY = b"\0\0\0\0\0\0\xf0"


def parse_json(text: str | bytes) -> Any:
    """Parse JSON. Raises ValueError for what only some parsers accept, and for nesting deeper than 200.

    These are single surrogates, NaN and infinity, and numbers out of range. The depth is pydantic's limit.
    """
    value = from_json(text, allow_inf_nan=False)
    # 1e999 was read as infinity. marshal writes floats as they are in memory, and takes a tenth of the time
    # that `json.dumps` needs to find the number.
    if INFINITY in marshal.dumps(value):
        json.dumps(value, allow_nan=False)
    return value
