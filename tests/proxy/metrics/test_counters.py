from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from support.logged_turns import turn, user
from support.scraped import Scraped

from proxy.metrics.counters import Counters
from proxy.metrics.snapshot import render

USED = {"input": 7, "output": 5, "details": {"reasoning_tokens": 2, "tokens_per_second": 20.0}}


def counted(response_json: Any = None, usage: dict[str, Any] | None = None, **request: Any) -> Scraped:
    "The metrics after one turn."
    ended = turn(user("Hi"), **request)
    ended.response.response_json = response_json
    if usage is not None:
        ended.response.set_usage(**usage)
    counters = Counters(["gpt-oss:20b"])
    counters.turn_ended(ended)
    return Scraped(render(counters.collect(), "")[0].decode())


def test_times() -> None:
    metrics = counted(usage=USED, queue_ms=1500, first_token_ms=250)
    assert metrics("gpt_oss_queue_wait_seconds_sum") == 1.5
    assert metrics("gpt_oss_time_to_first_token_seconds_sum") == 0.25
    assert metrics("gpt_oss_turn_duration_seconds_sum") == 0.25
    assert metrics("gpt_oss_tokens_per_second_sum") == 20
    assert metrics("gpt_oss_tokens_per_second_bucket", le="16.0") == 0
    assert metrics("gpt_oss_tokens_per_second_bucket", le="24.0") == 1


def test_a_turn_that_ended_in_the_queue() -> None:
    metrics = counted(status=499)
    assert metrics("gpt_oss_turns_total", status="499") == 1
    for name in ("queue_wait_seconds", "time_to_first_token_seconds", "turn_duration_seconds"):
        assert metrics(f"gpt_oss_{name}_count") == 0


def test_tokens() -> None:
    metrics = counted(usage=USED)
    assert {
        kind: metrics("gpt_oss_tokens_total", kind=kind) for kind in ("prompt", "reasoning", "answer")
    } == {
        "prompt": 7,
        "reasoning": 2,
        "answer": 3,
    }


def test_cached_tokens() -> None:
    metrics = counted(usage={"input": 7, "output": 0, "details": {"cached_tokens": 4}})
    assert metrics("gpt_oss_tokens_total", kind="cached") == 4
    assert metrics("gpt_oss_tokens_total", kind="prompt") == 3


@pytest.mark.parametrize(
    "usage",
    [
        pytest.param({"input": -1, "output": -5}, id="negative"),
        pytest.param({"input": 10**400, "output": 2**60}, id="huge"),
        pytest.param({"input": float("nan"), "output": float("inf")}, id="no numbers"),
        pytest.param({"input": "7", "output": None, "details": {"tokens_per_second": "fast"}}, id="texts"),
        pytest.param(
            {"input": 0, "output": 0, "details": {"reasoning_tokens": 9}}, id="reasoning without output"
        ),
    ],
)
def test_impossible_counts_are_left_out(usage: dict[str, Any]) -> None:
    metrics = counted(usage=usage)
    assert metrics("gpt_oss_turns_total") == 1
    assert metrics("gpt_oss_tokens_total") == 0
    assert metrics("gpt_oss_tokens_per_second_count") == 0


@pytest.mark.parametrize(
    ("response_json", "kinds"),
    [
        pytest.param(
            {"outcome": {"notes": [{"kind": "length"}, {"kind": "busy"}]}}, {"length", "busy"}, id="two"
        ),
        pytest.param(
            {"outcome": {"notes": [{"kind": "made up"}, "length", {}]}}, set(), id="of another plugin"
        ),
        pytest.param({"outcome": "length"}, set(), id="another form"),
        pytest.param([], set(), id="a list"),
    ],
)
def test_notes(response_json: Any, kinds: set[str]) -> None:
    metrics = counted(response_json)
    assert metrics("gpt_oss_notes_total") == len(kinds)
    assert all(metrics("gpt_oss_notes_total", kind=kind) == 1 for kind in kinds)


def test_apps_do_not_share_their_counters() -> None:
    assert Counters([]).collect()[0].samples == []
    ended = turn(user("Hi"))
    counters = Counters([])
    counters.turn_ended(replace(ended, request=replace(ended.request, endpoint="/x")))
    assert Scraped(render(counters.collect(), "")[0].decode())("gpt_oss_turns_total", model="other") == 1
    assert counted()("gpt_oss_turns_total") == 1
