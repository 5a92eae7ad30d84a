"""Token counts and times of a turn, summed over its completions."""

from __future__ import annotations

from ..completion import Done, Piece


class Usage:
    """Counts the tokens of pieces as they come, and corrects the counts when the engine reports its own.

    An engine that waits for the rest of a character sends several tokens as one. The tokens that are then
    missing, compared with the engine's count, are attributed to pieces with non-ASCII characters.
    """

    def __init__(self) -> None:
        self.completions = 0
        self.prompt_tokens: int | None = None
        self.reasoning_tokens = 0
        self.load_ms = 0.0
        self.prompt_ms = 0.0
        self.completion_ms = 0.0
        self._completed = 0
        self._current = 0
        # Tokens and milliseconds of the completions with a rate.
        self._timed_tokens = 0
        self._timed_ms = 0.0
        # Tokens with non-ASCII characters, by whether they are reasoning.
        self._non_ascii: dict[bool, int] = {True: 0, False: 0}

    @property
    def completion_tokens(self) -> int:
        "The tokens of ended completions, and those so far of the current one."
        return self._completed + self._current

    def add_piece(self, piece: Piece) -> int:
        "Count a piece, and return the number of its tokens."
        tokens = max(piece.tokens, len(piece.logprobs), 1)
        self._current += tokens
        return tokens

    def add_text(self, text: str, tokens: int, *, reasoning: bool) -> None:
        "Count text of a message. `tokens` is the number of pieces or tokens that it arrived in."
        if not text.isascii():
            self._non_ascii[reasoning] += tokens
        if reasoning:
            self.reasoning_tokens += tokens

    def end_completion(self, done: Done, *, hidden: int) -> None:
        "End a completion. `hidden` tokens of it are in no piece: its end marker, or a stop string."
        if self.prompt_tokens is None:
            self.prompt_tokens = done.prompt_tokens
        self.completions += 1
        non_ascii = sum(self._non_ascii.values())
        counted = self._current + hidden
        tokens = counted if done.completion_tokens is None else done.completion_tokens
        self._completed += tokens
        missing = max(0, tokens - counted)
        self.reasoning_tokens += round(missing * self._non_ascii[True] / non_ascii) if non_ascii else 0
        self.load_ms += done.load_ms or 0
        self.prompt_ms += done.prompt_ms or 0
        self.completion_ms += done.completion_ms or 0
        # The time of a single token is no rate: llama.cpp reports a microsecond for it.
        if done.completion_ms and tokens > 1:
            self._timed_tokens += tokens
            self._timed_ms += done.completion_ms
        self._current, self._non_ascii = 0, {True: 0, False: 0}

    def restart(self) -> None:
        "The turn starts over: `prompt_tokens` will be those of its new first prompt."
        self.prompt_tokens = None

    def details(self) -> dict[str, float | int]:
        "Return llm's token details: milliseconds, tokens per second, reasoning tokens."
        details: dict[str, float | int] = {
            "load_ms": round(self.load_ms),
            "prompt_ms": round(self.prompt_ms),
            "completion_ms": round(self.completion_ms),
            "reasoning_tokens": min(self.reasoning_tokens, self.completion_tokens),
        }
        if self._timed_ms > 0:
            details["tokens_per_second"] = round(self._timed_tokens / self._timed_ms * 1000, 1)
        return details
