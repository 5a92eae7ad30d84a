from __future__ import annotations

from itertools import count
from typing import Any

import llm
import pytest
from support.counting_engine import CountingEngine

from llm_gpt_oss.bench.measure import Benchmark
from llm_gpt_oss.bench.results import Case, Run
from llm_gpt_oss.errors import ContextOverflow, EngineError
from llm_gpt_oss.models import GptOss
from llm_gpt_oss.settings import Settings

CASE = Case("high", 500)


def benchmark(engine: CountingEngine, logged: list[Any] | None = None, **options: Any) -> Benchmark:
    numbers = count()
    model = GptOss("gpt-oss:20b", Settings.from_env({}), engine)

    def log(response: llm.Response, run: Run) -> None:
        if logged is not None:
            logged.append((response, run))

    return Benchmark(model, options, lambda: f"nonce{next(numbers)}", log)


def test_a_case_is_measured_without_and_with_the_cache() -> None:
    engine, logged = CountingEngine(completion_ms=100.0), []  # type: ignore[var-annotated]
    measured = benchmark(engine, logged, max_tokens=9)
    measured.warm_up()
    runs = [*measured.measure(CASE), *measured.measure(CASE)]
    assert [run.cached for run in runs] == [False, True, False, True]
    assert [run.input_tokens for run in runs] == [
        500
    ] * 4  # a token for each word: exactly what was asked for
    assert {run.tokens_per_second for run in runs} == {70.0}
    assert all(run.first_token_ms is not None for run in runs)
    assert [run for _, run in logged] == runs
    prompts = [completion.prompt for completion in engine.asked]
    assert prompts[2] == prompts[3] != prompts[4] == prompts[5]
    assert "Reasoning: high" in prompts[2]
    assert [completion.max_tokens for completion in engine.asked] == [9] * 6


def test_no_prompt_begins_like_another() -> None:
    engine = CountingEngine()
    measured = benchmark(engine)
    measured.warm_up()
    for _ in range(3):
        [*measured.measure(CASE)]
    users = [completion.prompt.partition("<|start|>user<|message|>")[2] for completion in engine.asked]
    beginnings = {user[:6] for user in users}
    assert beginnings == {f"nonce{number}" for number in range(5)}


def test_an_engine_that_does_not_report_times() -> None:
    measured = benchmark(CountingEngine())
    measured.warm_up()
    assert all(run.tokens_per_second and run.tokens_per_second > 0 for run in measured.measure(CASE))


def test_an_engine_that_does_not_count() -> None:
    with pytest.raises(EngineError, match="does not report how many tokens"):
        benchmark(CountingEngine(prompt_tokens=None)).warm_up()


def test_a_prompt_that_is_too_long() -> None:
    measured = benchmark(CountingEngine(context=300))
    measured.warm_up()
    with pytest.raises(ContextOverflow):
        [*measured.measure(CASE)]
