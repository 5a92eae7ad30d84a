from __future__ import annotations

from typing import Any

import pytest
from support.logged_turns import turn, user

from proxy.inference.finish_reason import finish_reason


@pytest.mark.parametrize(
    ("json", "reason"),
    [
        pytest.param({"outcome": {"finish_reason": "tool_calls", "notes": []}}, "tool_calls", id="ours"),
        pytest.param({"outcome": {"finish_reason": None, "notes": []}}, None, id="ours, broken off"),
        pytest.param({"content": "Hi", "finish_reason": "length"}, "length", id="a stream"),
        pytest.param({"choices": [{"index": 0, "finish_reason": "stop"}]}, "stop", id="a chat completion"),
        pytest.param({"incomplete_details": {"reason": "max_output_tokens"}}, "length", id="a response"),
        pytest.param({"incomplete_details": {"reason": "content_filter"}}, "content_filter", id="filtered"),
        pytest.param({"status": "completed"}, None, id="a whole response"),
        pytest.param({"finish_reason": "eos_token"}, None, id="a word of its own"),
        pytest.param({"finish_reason": ["stop"]}, None, id="no word"),
        pytest.param({"choices": []}, None, id="no choice"),
        pytest.param(None, None, id="nothing"),
    ],
)
def test_finish_reason(json: Any, reason: str | None) -> None:
    response = turn(user("Hi")).response
    response.response_json = json
    assert finish_reason(response) == reason
