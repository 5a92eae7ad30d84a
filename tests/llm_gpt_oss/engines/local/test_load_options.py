from __future__ import annotations

from typing import Any

import pytest
from support.engine_prompts import model

from llm_gpt_oss.completion import Completion
from llm_gpt_oss.engines.local.load_options import context_length, keep_alive, keep_alive_seconds


@pytest.mark.parametrize(
    ("options", "requested", "trained", "context"),
    [
        pytest.param({}, None, 131072, 16384, id="default"),
        pytest.param({}, None, 0, 16384, id="trained length unknown"),
        pytest.param({"context": 600}, None, 131072, 600, id="option of the model"),
        pytest.param({"context": 600}, 700, 131072, 700, id="requested by the prompt"),
        pytest.param({}, 10**6, 131072, 131072, id="longer than trained"),
    ],
)
def test_context_length(options: Any, requested: int | None, trained: int, context: int) -> None:
    assert context_length(model("embedded", **options), requested, trained) == context


@pytest.mark.parametrize(
    ("duration", "seconds"),
    [("10m", 600), ("1h30m", 5400), ("-1s", -1), (0, 0), (2.5, 2.5), ("500ms", 0.5)],
)
def test_keep_alive(duration: Any, seconds: float) -> None:
    default, requested = Completion("tiny", "p"), Completion("tiny", "p", keep_alive=duration)
    assert keep_alive_seconds(duration) == seconds
    assert keep_alive(model("embedded", keep_alive=duration), default) == seconds
    assert keep_alive(model("embedded"), requested) == seconds
    assert keep_alive(model("embedded", keep_alive=9), requested) == seconds
    assert keep_alive(model("embedded"), default) == 300
