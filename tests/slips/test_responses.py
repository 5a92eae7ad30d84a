"Each row through `/v1/responses` of the proxy, in front of a scripted Ollama."

from __future__ import annotations

import pytest
from starlette.testclient import TestClient
from support.slips.play import play_responses
from support.slips.row import Row, differences
from support.slips.scripted_ollama import ScriptedOllama
from support.slips.table import ON_ALL_SURFACES


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize("row", ON_ALL_SURFACES, ids=[row.id for row in ON_ALL_SURFACES])
def test_row(row: Row, stream: bool, ollama: ScriptedOllama, client: TestClient) -> None:
    if reason := row.skipped.get("responses"):
        pytest.skip(reason)
    assert "\n".join(differences(row, play_responses(row, ollama, client, stream=stream))) == ""
