from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from proxy.explore.transcript.numbers import measures, origin
from proxy.explore.transcript.turn_summary import TurnSummary

EMPTY = TurnSummary(
    **{name: None for name in TurnSummary.__dataclass_fields__ if name not in ("is_deleted", "in_progress")}
    | {"id": "t", "model": "m", "notes": [], "options": {}, "ignored": [], "tools": []}
)


@pytest.mark.parametrize(
    ("fields", "row"),
    [
        pytest.param({"queue_ms": 0}, ("Queue", "0 ms"), id="no wait"),
        pytest.param({"first_token_ms": 999}, ("First token", "999 ms"), id="milliseconds"),
        pytest.param({"duration_ms": 1_249}, ("Whole answer", "1.2 s"), id="seconds"),
        pytest.param({"duration_ms": 900, "queue_ms": 349}, ("Whole answer", "1.2 s"), id="with the queue"),
        pytest.param({"duration_ms": 119_700}, ("Whole answer", "2 min 0 s"), id="minutes"),
        pytest.param({"tokens_per_second": 41.5}, ("Speed", "41.5 tokens/s"), id="speed"),
        pytest.param({"prompt_tokens": 12_345}, ("Prompt", "12,345 tokens"), id="prompt"),
        pytest.param({"cached_tokens": 0}, ("Cached", "0 tokens"), id="cached"),
        pytest.param({"effort": "high"}, ("Effort", "high"), id="effort"),
        pytest.param({"engine": "ollama"}, ("Engine", "ollama"), id="engine"),
        pytest.param({"completions": 3}, ("Requests to the engine", "3"), id="requests"),
        pytest.param({"finish_reason": "length"}, ("Ended with", "length"), id="finish reason"),
        pytest.param({"ignored": ["a", "b[0]"]}, ("Ignored fields", "a, b[0]"), id="ignored fields"),
    ],
)
def test_measures(fields: dict[str, Any], row: tuple[str, str]) -> None:
    assert row in measures(replace(EMPTY, **fields))


def test_the_answer_is_what_is_not_reasoning() -> None:
    rows = dict(measures(replace(EMPTY, output_tokens=30, reasoning_tokens=10)))
    assert (rows["Reasoning"], rows["Answer"]) == ("10 tokens", "20 tokens")
    assert dict(measures(replace(EMPTY, output_tokens=30)))["Answer"] == "30 tokens"


def test_the_default_effort_is_that_of_our_models() -> None:
    assert measures(EMPTY) == []
    assert ("Effort", "medium, the default") in measures(replace(EMPTY, completions=1))


@pytest.mark.parametrize(
    ("fields", "rows"),
    [
        pytest.param({}, [("App", "LLM, in a shell or a program")], id="the shell"),
        pytest.param(
            {"endpoint": "/v1/x", "app": "curl", "key": "laptop:1"},
            [("App", "curl"), ("Key", "laptop:1"), ("Endpoint", "/v1/x")],
            id="an app",
        ),
        pytest.param({"endpoint": "/v1/x"}, [("Key", "none"), ("Endpoint", "/v1/x")], id="no key, no name"),
    ],
)
def test_origin(fields: dict[str, Any], rows: list[tuple[str, str]]) -> None:
    assert origin(replace(EMPTY, **fields)) == rows
