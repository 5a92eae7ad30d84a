"All rows: those of the fault matrix, then those of what was found when the server was attacked from outside."

from __future__ import annotations

from support.faults import (  # noqa: F401
    access,
    answers,
    clients,
    engine_errors,
    freezes,
    kept_turns,
    leaving,
    log_faults,
    prompts,
    shell,
    signals,
)
from support.faults.row import ROWS

MATRIX = [f"F{number}" for number in range(1, 36)]
FINDINGS = [str(number) for number in range(1, 20)]
ORDER = [*MATRIX, *FINDINGS]
TABLE = sorted(ROWS, key=lambda row: ORDER.index(row.id))
