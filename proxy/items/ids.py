"""Item ids that say where in the log an item is, so that nothing has to be stored to find it.

An id is `<prefix>_<source>_<n>`. `source` is the id of the turn that produced the item, or the 32 hex digits
of the hash of the message that holds it. `n` numbers the items of that source. The prefix names the item's
type for human readers; lookups ignore it.
"""

from __future__ import annotations

import re

PREFIXES = {
    "message": "msg",
    "reasoning": "rs",
    "function_call": "fc",
    "function_call_output": "fco",
    "custom_tool_call": "ctc",
    "custom_tool_call_output": "ctco",
    "compaction": "cmp",
}
_ID = re.compile(r"[a-z]{1,8}_([0-9a-z]{26}|[0-9a-f]{32})_(0|[1-9][0-9]{0,6})", re.ASCII)


def item_id(item_type: str, source: str, n: int) -> str:
    return f"{PREFIXES[item_type]}_{source}_{n}"


def parse_item_id(id: str) -> tuple[str, int] | None:
    "An id's `source` and `n`, or None if this server did not make the id."
    match = _ID.fullmatch(id)
    return (match[1], int(match[2])) if match else None
