"The table of `make faults`, which plays it on real processes."

from __future__ import annotations

from support.faults.row import ROWS
from support.faults.table import FINDINGS, MATRIX, TABLE


def test_every_row_of_the_matrix_is_played() -> None:
    assert {row.id for row in TABLE} - {*FINDINGS} == {*MATRIX}
    assert len(TABLE) == len(ROWS)


def test_every_row_says_what_is_done() -> None:
    assert [row.name for row in TABLE if not row.done.rstrip("`").endswith(".")] == []
    assert len({row.name for row in TABLE}) == len(TABLE)
