"""Tokens and times of a turn, over all its completions."""

from __future__ import annotations

from ..completion import Done, Piece


class Usage:
    """Counts pieces by channel as they come, and is set right by the engine's own counts.

    A piece is one token, except where the engine waits for the rest of a character: what is then missing to
    its own count belongs to the pieces with such characters.
    """

    def __init__(self) -> None:
        self.completions = 0
        self.prompt_tokens: int | None = None
        self.reasoning_tokens = 0
        self.load_ms = 0.0
        self.prompt_ms = 0.0
        self.completion_ms = 0.0
        self._completed = 0
        self._pieces = 0
        self._wide: dict[bool, int] = {True: 0, False: 0}

    @property
    def completion_tokens(self) -> int:
        "Those of the completions that have ended, and what came so far of the one under way."
        return self._completed + self._pieces

    def add_piece(self, piece: Piece) -> None:
        self._pieces += max(1, len(piece.logprobs))

    def add_text(self, text: str, tokens: int, *, reasoning: bool) -> None:
        self._wide[reasoning] += not text.isascii()
        if reasoning:
            self.reasoning_tokens += tokens

    def end_completion(self, done: Done, *, hidden: int) -> None:
        "A completion has ended. `unseen` tokens of it were rightly not shown: its end, or a stop string."
        if self.prompt_tokens is None:
            self.prompt_tokens = done.prompt_tokens
        self.completions += 1
        wide = sum(self._wide.values())
        if done.completion_tokens is None:
            self._completed += self._pieces + hidden
        else:
            self._completed += done.completion_tokens
            missing = max(0, done.completion_tokens - hidden - self._pieces)
            self.reasoning_tokens += round(missing * self._wide[True] / wide) if wide else 0
        self.load_ms += done.load_ms or 0
        self.prompt_ms += done.prompt_ms or 0
        self.completion_ms += done.completion_ms or 0
        self._pieces, self._wide = 0, {True: 0, False: 0}

    def restart(self) -> None:
        "The turn is asked again from its prompt on: that prompt is the one that counts."
        self.prompt_tokens = None

    def details(self) -> dict[str, float | int]:
        "What llm keeps as token details: milliseconds, tokens a second, reasoning tokens."
        details: dict[str, float | int] = {
            "load_ms": round(self.load_ms),
            "prompt_ms": round(self.prompt_ms),
            "completion_ms": round(self.completion_ms),
            "reasoning_tokens": min(self.reasoning_tokens, self.completion_tokens),
        }
        if self.completion_ms > 0:
            details["tokens_per_second"] = round(self._completed / self.completion_ms * 1000, 1)
        return details
