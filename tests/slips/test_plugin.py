"Each row through a model of the plugin, which runs on a scripted Ollama."

from __future__ import annotations

import pytest
from support.slips.play import play_plugin
from support.slips.row import Row, differences
from support.slips.scripted_ollama import ScriptedOllama
from support.slips.table import ON_ALL_SURFACES


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize("row", ON_ALL_SURFACES, ids=[row.id for row in ON_ALL_SURFACES])
def test_row(row: Row, stream: bool, ollama: ScriptedOllama) -> None:
    if reason := row.skipped.get("plugin"):
        pytest.skip(reason)
    assert "\n".join(differences(row, play_plugin(row, ollama, stream=stream))) == ""
