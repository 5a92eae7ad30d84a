"""The id of a turn, and its times."""

from __future__ import annotations

from datetime import datetime

from llm.utils import monotonic_ulid
from ulid import ULID


def new_id() -> str:
    "A ULID in lower case, as llm's own ids are."
    return str(monotonic_ulid()).lower()


def creation_time(turn_id: str) -> int:
    """When an id was made, in seconds since 1970.

    What goes by the id has this time for its own, so that it is the same live and from the log. 0 for an id
    that is no ULID, as some older log may hold.
    """
    try:
        return int(ULID.from_str(turn_id.upper()).milliseconds) // 1000
    except ValueError:
        return 0


def end_time(begun: str, duration_ms: int) -> int:
    "In seconds since 1970, from what llm logs."
    return int(datetime.fromisoformat(begun).timestamp() + duration_ms / 1000)
