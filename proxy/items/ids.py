"""Ids that say where in the log an item is found.

`source` is the id of the turn that put the item out, or else the 32 hex digits of the hash of the message
that it is part of; `n` counts the items of either. The prefix is for people: an item is found without it.
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


def item_id(kind: str, source: str, n: int) -> str:
    "`kind` is the item's type."
    return f"{PREFIXES[kind]}_{source}_{n}"


def place_of(id: str) -> tuple[str, int] | None:
    "Source and n; None for an id that is none of ours."
    found = _ID.fullmatch(id)
    return (found[1], int(found[2])) if found else None
