from __future__ import annotations

import pytest

from llm_gpt_oss.bench.prompts import QUESTION, Lengths, prompt_text


def test_a_prompt() -> None:
    assert prompt_text("a1b2", 4) == f"a1b2. The sea is wide\n\n{QUESTION}"


def test_a_long_prompt_repeats_the_story() -> None:
    words = prompt_text("x", 1000).split()
    assert len(words) == 1 + 1000 + len(QUESTION.split())


@pytest.mark.parametrize(("tokens", "words"), [(100, 25), (2000, 975), (1, 1)])
def test_lengths(tokens: int, words: int) -> None:
    lengths = Lengths.measured(20, 90, 120, 290)
    assert lengths == Lengths(50, 2)
    assert lengths.words(tokens) == words


def test_an_engine_that_counts_nothing() -> None:
    "Some servers count only what they had not cached, or always report the same."
    assert Lengths.measured(20, 90, 120, 90).words(1000) == 1840
