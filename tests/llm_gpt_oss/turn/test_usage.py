from __future__ import annotations

import pytest
from support.scripted_engine import spoken

from llm_gpt_oss.completion import Done, Piece
from llm_gpt_oss.turn.usage import Usage


def count(usage: Usage, *texts: tuple[str, bool]) -> None:
    "Count texts, each a piece of one token, with whether it is reasoning."
    for text, reasoning in texts:
        usage.add_piece(Piece(text))
        usage.add_text(text, 1, reasoning=reasoning)


def test_the_count_of_the_engine_is_used() -> None:
    usage = Usage()
    usage.add_piece(Piece("<|channel|>"))
    count(usage, ("a", True), ("b", True), ("c", False))
    usage.end_completion(Done("stop", prompt_tokens=10, completion_tokens=9), hidden=1)
    assert (usage.prompt_tokens, usage.completion_tokens, usage.reasoning_tokens) == (10, 9, 2)


def test_pieces_are_counted_if_the_engine_does_not_count() -> None:
    usage = Usage()
    count(usage, ("a", True), ("c", False))
    usage.end_completion(Done("stop"), hidden=2)
    assert (usage.prompt_tokens, usage.completion_tokens, usage.reasoning_tokens) == (None, 4, 1)


@pytest.mark.parametrize(
    ("texts", "reasoning_tokens"),
    [
        pytest.param([("日本", True), ("a", True), ("b", False)], 2 + 6, id="all of them reasoning"),
        pytest.param([("a", True), ("日本", False)], 1, id="none of them reasoning"),
        pytest.param(
            [("日", True), ("本", True), ("語", False)], 2 + 4, id="by the share of non-ASCII pieces"
        ),
        pytest.param([("a", True), ("b", False)], 1, id="no non-ASCII piece"),
    ],
)
def test_missing_tokens_are_those_of_non_ascii_text(
    texts: list[tuple[str, bool]], reasoning_tokens: int
) -> None:
    usage = Usage()
    count(usage, *texts)
    usage.end_completion(Done("stop", completion_tokens=len(texts) + 1 + 6), hidden=1)
    assert usage.reasoning_tokens == reasoning_tokens


@pytest.mark.parametrize("unseen", [0, 1, 2])
def test_with_log_probabilities_the_count_is_exact(unseen: int) -> None:
    usage = Usage()
    for piece in spoken("ab", "日本語"):
        usage.add_piece(piece)
        usage.add_text(piece.text, len(piece.logprobs), reasoning=True)
    for piece in spoken("한국"):
        usage.add_piece(piece)
        usage.add_text(piece.text, len(piece.logprobs), reasoning=False)
    usage.end_completion(Done("stop", completion_tokens=7 + unseen), hidden=unseen)
    assert (usage.reasoning_tokens, usage.completion_tokens) == (5, 7 + unseen)


def test_a_count_lower_than_the_pieces_changes_nothing() -> None:
    usage = Usage()
    count(usage, ("é", True), ("é", False))
    usage.end_completion(Done("stop", completion_tokens=1), hidden=2)
    assert usage.reasoning_tokens == 1


def test_the_sum_of_completions_and_the_first_prompt() -> None:
    usage = Usage()
    count(usage, ("é", True))
    usage.end_completion(Done("stop", 10, 5, load_ms=1.4, prompt_ms=2, completion_ms=500), hidden=1)
    count(usage, ("a", False))
    usage.end_completion(Done("stop", 14, 15, load_ms=None, prompt_ms=3.6, completion_ms=500), hidden=1)
    assert (usage.completions, usage.prompt_tokens, usage.completion_tokens) == (2, 10, 20)
    assert usage.details() == {
        "load_ms": 1,
        "prompt_ms": 6,
        "completion_ms": 1000,
        "reasoning_tokens": 4,  # the three that are missing are the first completion's
        "tokens_per_second": 20.0,
    }


def test_starting_over_counts_the_new_prompt_and_all_completions() -> None:
    usage = Usage()
    usage.end_completion(Done("stop", 10, 5), hidden=1)
    usage.restart()
    usage.end_completion(Done("stop", 7, 5), hidden=1)
    assert (usage.completions, usage.prompt_tokens, usage.completion_tokens) == (2, 7, 10)


def test_an_interrupted_completion_counts_its_pieces() -> None:
    usage = Usage()
    count(usage, ("a", True), ("b", True), ("c", False))
    assert (usage.completions, usage.completion_tokens) == (0, 3)
    assert usage.details()["reasoning_tokens"] == 2


def test_the_rate_counts_completions_with_a_time() -> None:
    usage = Usage()
    usage.end_completion(Done("stop", 10, 5, completion_ms=500), hidden=5)
    count(usage, *[("a", False)] * 95)
    assert (usage.completion_tokens, usage.details()["tokens_per_second"]) == (100, 10.0)


def test_no_rate_without_a_time() -> None:
    usage = Usage()
    usage.end_completion(Done("stop", 10, 5), hidden=1)
    assert "tokens_per_second" not in usage.details()


def test_a_single_token_has_no_rate() -> None:
    usage = Usage()
    usage.end_completion(Done("length", 10, 1, completion_ms=0.001), hidden=0)
    assert "tokens_per_second" not in usage.details()
    usage.end_completion(Done("stop", 10, 20, completion_ms=1000), hidden=0)
    assert usage.details()["tokens_per_second"] == 20.0


def test_never_more_reasoning_than_tokens() -> None:
    usage = Usage()
    count(usage, ("a", True), ("b", True))
    usage.end_completion(Done("stop", completion_tokens=1), hidden=1)
    assert usage.details()["reasoning_tokens"] == 1
