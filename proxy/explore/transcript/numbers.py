"Formats the numbers of a turn, and where it came from, as labels with texts."

from __future__ import annotations

from .turn_summary import TurnSummary

DEFAULT_EFFORT = "medium"
SHELL = "LLM, in a shell or a program"

# Labels with texts. A number that the log does not have has no row.
Rows = list[tuple[str, str]]


def _whole_answer(summary: TurnSummary) -> int | None:
    "Return the milliseconds from the request to its end. Like the first token's, they include the queue."
    return None if summary.duration_ms is None else summary.duration_ms + (summary.queue_ms or 0)


def measures(summary: TurnSummary) -> Rows:
    # Only turns of our models have a number of completions.
    is_ours = summary.completions is not None
    return _known(
        ("Queue", _time(summary.queue_ms)),
        ("First token", _time(summary.first_token_ms)),
        ("Whole answer", _time(_whole_answer(summary))),
        ("Speed", f"{summary.tokens_per_second:,g} tokens/s" if summary.tokens_per_second else None),
        ("Prompt", _tokens(summary.prompt_tokens)),
        ("Cached", _tokens(summary.cached_tokens)),
        ("Reasoning", _tokens(summary.reasoning_tokens)),
        ("Answer", _tokens(summary.answer_tokens)),
        ("Effort", summary.effort or (f"{DEFAULT_EFFORT}, the default" if is_ours else None)),
        ("Engine", summary.engine),
        ("Requests to the engine", str(summary.completions) if (summary.completions or 0) > 1 else None),
        ("Ended with", summary.finish_reason),
        ("Ignored fields", ", ".join(map(str, summary.ignored))),
    )


def origin(summary: TurnSummary) -> Rows:
    if summary.endpoint is None:
        return [("App", SHELL)]
    return _known(("App", summary.app), ("Key", summary.key or "none"), ("Endpoint", summary.endpoint))


def _known(*rows: tuple[str, str | None]) -> Rows:
    return [(label, text) for label, text in rows if text]


def _time(milliseconds: int | None) -> str | None:
    if milliseconds is None:
        return None
    if milliseconds < 1000:
        return f"{milliseconds:,} ms"
    if milliseconds < 60_000:
        return f"{milliseconds / 1000:.1f} s"
    minutes, seconds = divmod(round(milliseconds / 1000), 60)
    return f"{minutes:,} min {seconds} s"


def _tokens(count: int | None) -> str | None:
    return None if count is None else f"{count:,} tokens"
