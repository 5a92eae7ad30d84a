"What the tools of OpenAI's APIs have in common."

from __future__ import annotations

import pytest

from proxy.tools import free_text


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        pytest.param('{"input": "x\\n"}', "x\n", id="as it should be"),
        pytest.param('{"input": 5}', '{"input": 5}', id="no text"),
        pytest.param('{"text": "x"}', '{"text": "x"}', id="another name"),
        pytest.param('["x"]', '["x"]', id="a list"),
        pytest.param("x", "x", id="no JSON"),
        pytest.param("[" * 100_000, "[" * 100_000, id="deep"),
    ],
)
def test_free_text(arguments: str, text: str) -> None:
    assert free_text(arguments) == text
