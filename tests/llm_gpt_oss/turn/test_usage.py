from __future__ import annotations

import pytest
from support.scripted_engine import spoken

from llm_gpt_oss.completion import Done, Piece
from llm_gpt_oss.turn.usage import Usage


def told(tally: Usage, *said: tuple[str, bool]) -> None:
    "Each a piece of one token, and whether it is reasoning."
    for text, reasoning in said:
        tally.add_piece(Piece(text))
        tally.add_text(text, 1, reasoning=reasoning)


def test_an_engine_that_counts_is_believed() -> None:
    tally = Usage()
    tally.add_piece(Piece("<|channel|>"))
    told(tally, ("a", True), ("b", True), ("c", False))
    tally.end_completion(Done("stop", prompt_tokens=10, completion_tokens=9), hidden=1)
    assert (tally.prompt_tokens, tally.completion_tokens, tally.reasoning_tokens) == (10, 9, 2)


def test_an_engine_that_does_not_count_is_counted_by_its_pieces() -> None:
    tally = Usage()
    told(tally, ("a", True), ("c", False))
    tally.end_completion(Done("stop"), hidden=2)
    assert (tally.prompt_tokens, tally.completion_tokens, tally.reasoning_tokens) == (None, 4, 1)


@pytest.mark.parametrize(
    ("said", "reasoning_tokens"),
    [
        pytest.param([("日本", True), ("a", True), ("b", False)], 2 + 6, id="all of them thought"),
        pytest.param([("a", True), ("日本", False)], 1, id="none of them thought"),
        pytest.param([("日", True), ("本", True), ("語", False)], 2 + 4, id="by the share of wide pieces"),
        pytest.param([("a", True), ("b", False)], 1, id="no wide piece: nothing to give them to"),
    ],
)
def test_missing_tokens_belong_to_the_wide_characters(
    said: list[tuple[str, bool]], reasoning_tokens: int
) -> None:
    tally = Usage()
    told(tally, *said)
    tally.end_completion(Done("stop", completion_tokens=len(said) + 1 + 6), hidden=1)
    assert tally.reasoning_tokens == reasoning_tokens


@pytest.mark.parametrize("unseen", [0, 1, 2])
def test_with_log_probabilities_the_count_is_exact(unseen: int) -> None:
    tally = Usage()
    for piece in spoken("ab", "日本語"):
        tally.add_piece(piece)
        tally.add_text(piece.text, len(piece.logprobs), reasoning=True)
    for piece in spoken("한국"):
        tally.add_piece(piece)
        tally.add_text(piece.text, len(piece.logprobs), reasoning=False)
    tally.end_completion(Done("stop", completion_tokens=7 + unseen), hidden=unseen)
    assert (tally.reasoning_tokens, tally.completion_tokens) == (5, 7 + unseen)


def test_fewer_tokens_than_pieces_take_nothing_away() -> None:
    tally = Usage()
    told(tally, ("é", True), ("é", False))
    tally.end_completion(Done("stop", completion_tokens=1), hidden=2)
    assert tally.reasoning_tokens == 1


def test_completions_add_up_and_the_first_prompt_counts() -> None:
    tally = Usage()
    told(tally, ("é", True))
    tally.end_completion(Done("stop", 10, 5, load_ms=1.4, prompt_ms=2, completion_ms=500), hidden=1)
    told(tally, ("a", False))
    tally.end_completion(Done("stop", 14, 15, load_ms=None, prompt_ms=3.6, completion_ms=500), hidden=1)
    assert (tally.completions, tally.prompt_tokens, tally.completion_tokens) == (2, 10, 20)
    assert tally.details() == {
        "load_ms": 1,
        "prompt_ms": 6,
        "completion_ms": 1000,
        "reasoning_tokens": 4,  # the three that are missing are the first completion's
        "tokens_per_second": 20.0,
    }


def test_starting_over_takes_the_new_prompt_and_forgets_no_work() -> None:
    tally = Usage()
    tally.end_completion(Done("stop", 10, 5), hidden=1)
    tally.restart()
    tally.end_completion(Done("stop", 7, 5), hidden=1)
    assert (tally.completions, tally.prompt_tokens, tally.completion_tokens) == (2, 7, 10)


def test_a_completion_that_breaks_off_counts_as_far_as_it_came() -> None:
    tally = Usage()
    told(tally, ("a", True), ("b", True), ("c", False))
    assert (tally.completions, tally.completion_tokens) == (0, 3)
    assert tally.details()["reasoning_tokens"] == 2


def test_the_rate_is_that_of_the_completions_whose_time_is_known() -> None:
    tally = Usage()
    tally.end_completion(Done("stop", 10, 5, completion_ms=500), hidden=5)
    told(tally, *[("a", False)] * 95)
    assert (tally.completion_tokens, tally.details()["tokens_per_second"]) == (100, 10.0)


def test_no_time_no_rate() -> None:
    tally = Usage()
    tally.end_completion(Done("stop", 10, 5), hidden=1)
    assert "tokens_per_second" not in tally.details()


def test_never_more_reasoning_than_tokens() -> None:
    tally = Usage()
    told(tally, ("a", True), ("b", True))
    tally.end_completion(Done("stop", completion_tokens=1), hidden=1)
    assert tally.details()["reasoning_tokens"] == 1
