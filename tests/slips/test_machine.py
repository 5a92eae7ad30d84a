"Each row through the machine of the turn, with text that is split at every character."

from __future__ import annotations

import pytest
from support.slips.play import play_machine
from support.slips.row import Row, differences
from support.slips.table import ROWS


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize("row", ROWS, ids=[row.id for row in ROWS])
def test_row(row: Row, stream: bool) -> None:
    if reason := row.skipped.get("machine"):
        pytest.skip(reason)
    assert "\n".join(differences(row, play_machine(row, stream=stream))) == ""
