"All rows, in the order of their kinds."

from __future__ import annotations

from support.slips import headers
from support.slips.row import Row

KINDS = (headers,)
ROWS: list[Row] = [row for kind in KINDS for row in kind.ROWS]
