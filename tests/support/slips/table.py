"All rows, in the order of their kinds."

from __future__ import annotations

from support.slips import (
    answers,
    arguments,
    call_headers,
    headers,
    made_up,
    marker_text,
    reasoning,
    recipients,
    tool_names,
    tools_not_offered,
)
from support.slips.row import Row

KINDS = (
    headers,
    recipients,
    call_headers,
    tools_not_offered,
    reasoning,
    answers,
    made_up,
    marker_text,
    arguments,
    tool_names,
)
ROWS: list[Row] = [row for kind in KINDS for row in kind.ROWS]
# Those that every surface plays.
ON_ALL_SURFACES = [row for row in ROWS if not row.machine_only]
