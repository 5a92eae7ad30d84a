"The numbers of a turn, and where it came from, as labels and texts."

from __future__ import annotations

from .turn_facts import TurnFacts

DEFAULT_EFFORT = "medium"
SHELL = "LLM, in a shell or a program"

# Labels with texts. What the log does not have is left out.
Rows = list[tuple[str, str]]


def measures(facts: TurnFacts) -> Rows:
    # Only turns of our models have a number of completions.
    is_ours = facts.completions is not None
    return _known(
        ("Queue", _time(facts.queue_ms)),
        ("First token", _time(facts.first_token_ms)),
        ("Whole answer", _time(facts.duration_ms)),
        ("Speed", f"{facts.tokens_per_second:,g} tokens/s" if facts.tokens_per_second else None),
        ("Prompt", _tokens(facts.prompt_tokens)),
        ("Cached", _tokens(facts.cached_tokens)),
        ("Reasoning", _tokens(facts.reasoning_tokens)),
        ("Answer", _tokens(facts.answer_tokens)),
        ("Effort", facts.effort or (f"{DEFAULT_EFFORT}, the default" if is_ours else None)),
        ("Requests to the engine", str(facts.completions) if (facts.completions or 0) > 1 else None),
        ("Ended with", facts.finish_reason),
        ("Ignored fields", ", ".join(map(str, facts.ignored))),
    )


def origin(facts: TurnFacts) -> Rows:
    if facts.endpoint is None:
        return [("App", SHELL)]
    return _known(("App", facts.app), ("Key", facts.key or "none"), ("Endpoint", facts.endpoint))


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
