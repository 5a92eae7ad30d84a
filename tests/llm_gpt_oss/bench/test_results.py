from __future__ import annotations

from llm_gpt_oss.bench.results import Case, Run, Summary, summarize

CASE, OTHER = Case("low", 100), Case("high", 100)


def run(cached: bool, first: float | None, rate: float | None = 20.0, case: Case = CASE) -> Run:
    return Run(case, cached, 101, 64, first, rate)


def test_medians() -> None:
    runs = [run(False, 300), run(True, 30), run(False, 100), run(True, 10), run(False, 200, 50.0)]
    assert summarize(CASE, [*runs, run(False, 9999, case=OTHER)]) == Summary(CASE, 101, 200, 20, 20)


def test_unknown_numbers() -> None:
    assert summarize(CASE, [run(False, None, None)]) == Summary(CASE, 101, None, None, None)
    assert summarize(CASE, [Run(CASE, False, None, None, 1, 2)]) == Summary(CASE, None, 1, None, 2)


def test_nothing_was_measured() -> None:
    assert summarize(CASE, [run(False, 1, case=OTHER)]) is None
