"Draws the results of `llm gpt-oss bench`: a table with bars, and a comparison with the last time."

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

from ..bench.bench_log import Earlier
from ..bench.results import Summary
from .tables import Column, draw_table, print_tabs, short_time

if TYPE_CHECKING:
    from rich.console import RenderableType

Result = tuple[Summary, "Earlier | None"]

BAR_WIDTH = 14
# Differences up to this percentage are not coloured: they may be noise.
NOISE = 5


def print_report(results: Sequence[Result]) -> None:
    "Print all numbers for programs, separated by tabs."
    names = ("input_tokens", "first_token_ms", "cached_first_token_ms", "tokens_per_second")
    columns = ("effort", "prompt_tokens", *names, "earlier_day", *(f"earlier_{name}" for name in names[1:]))
    rows = [
        [
            *summary.case,
            *(getattr(summary, name) for name in names),
            earlier.day if earlier else None,
            *(getattr(earlier.summary, name) if earlier else None for name in names[1:]),
        ]
        for summary, earlier in results
    ]
    print_tabs([Column(name, name) for name in columns], rows)


def draw_report(results: Sequence[Result]) -> None:
    summaries = [summary for summary, _ in results]
    time_bar = _bars([summary.first_token_ms for summary in summaries])
    rate_bar = _bars([summary.tokens_per_second for summary in summaries])
    draw_table(
        [
            Column("effort", "effort", is_text=True),
            Column("input_tokens", "prompt\ntokens"),
            Column("first_token_ms", "first\ntoken", short_time),
            Column("first_token_bar", "", time_bar, is_text=True),
            Column("cached_first_token_ms", "cached", short_time),
            Column("tokens_per_second", "tokens\nper s", _rate),
            Column("rate_bar", "", rate_bar, is_text=True),
        ],
        [
            (
                summary.case.effort,
                summary.input_tokens,
                summary.first_token_ms,
                summary.first_token_ms,
                summary.cached_first_token_ms,
                summary.tokens_per_second,
                summary.tokens_per_second,
            )
            for summary in summaries
        ],
    )
    compared = [(summary, earlier) for summary, earlier in results if earlier]
    if compared:
        click.echo()
        _draw_comparison(compared)


def _draw_comparison(results: Sequence[tuple[Summary, Earlier]]) -> None:
    draw_table(
        [
            Column("effort", "effort", is_text=True),
            Column("input_tokens", "prompt\ntokens"),
            Column("day", "before", is_text=True),
            Column("earlier_first_token_ms", "first\ntoken", short_time),
            Column("first_token_ms", "now", short_time),
            Column("first_token_change", "", _change(better=-1)),
            Column("earlier_tokens_per_second", "tokens\nper s", _rate),
            Column("tokens_per_second", "now", _rate),
            Column("rate_change", "", _change(better=1)),
        ],
        [
            (
                now.case.effort,
                now.input_tokens,
                earlier.day,
                earlier.summary.first_token_ms,
                now.first_token_ms,
                _percent(earlier.summary.first_token_ms, now.first_token_ms),
                earlier.summary.tokens_per_second,
                now.tokens_per_second,
                _percent(earlier.summary.tokens_per_second, now.tokens_per_second),
            )
            for now, earlier in results
        ],
    )


def _bars(values: Sequence[float | None]) -> Callable[[Any], RenderableType]:
    "Return a function that draws one of these values as a bar. The largest value fills the width."
    largest = max((value for value in values if value), default=0)

    def draw(value: float) -> RenderableType:
        from rich.bar import Bar

        return Bar(largest or 1, 0, value, width=BAR_WIDTH, color="cyan")

    return draw


def _rate(value: float) -> str:
    return f"{value:.1f}"


def _percent(before: float | None, now: float | None) -> float | None:
    return None if not before or now is None else (now - before) / before * 100


def _change(better: int) -> Callable[[Any], RenderableType]:
    "Return a function that draws a change in percent: green if it has the sign of `better`, else red."

    def draw(percent: float) -> str:
        text = f"{percent:+.0f} %"
        if abs(percent) <= NOISE:
            return text
        return f"[{'green' if percent * better > 0 else 'red'}]{text}[/]"

    return draw
