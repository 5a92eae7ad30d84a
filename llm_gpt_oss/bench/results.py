"The measured turns of a benchmark, and their summary."

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from typing import NamedTuple


class Case(NamedTuple):
    "One kind of turn that is measured: prompts of about `prompt_tokens`, answered with a reasoning effort."

    effort: str
    prompt_tokens: int


class Run(NamedTuple):
    """One measured turn.

    `cached` is whether the engine had just read the same prompt. `input_tokens` is the number that the engine
    counted. Unknown numbers are None.
    """

    case: Case
    cached: bool
    input_tokens: int | None
    output_tokens: int | None
    first_token_ms: float | None
    tokens_per_second: float | None


class Summary(NamedTuple):
    "The medians of one case's runs. `first_token_ms` is that of prompts that were not in the engine's cache."

    case: Case
    input_tokens: int | None
    first_token_ms: float | None
    cached_first_token_ms: float | None
    tokens_per_second: float | None


def summarize(case: Case, runs: Sequence[Run]) -> Summary | None:
    "Return the medians of this case's runs, or None if it has none."
    ours = [run for run in runs if run.case == case]
    if not ours:
        return None
    input_tokens = _median(run.input_tokens for run in ours)
    return Summary(
        case,
        None if input_tokens is None else round(input_tokens),
        _median(run.first_token_ms for run in ours if not run.cached),
        _median(run.first_token_ms for run in ours if run.cached),
        _median(run.tokens_per_second for run in ours),
    )


def _median(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return round(statistics.median(known), 1) if known else None
