from __future__ import annotations

from typing import Any

import pytest
from support.engine_prompts import done, text
from support.parrot import Parrot

from llm_gpt_oss.completion import Completion, Done, Logprob, Piece
from llm_gpt_oss.engines.transformers.generation import CHUNK, PrefixCache, generate
from llm_gpt_oss.errors import ContextOverflow


class Harness:
    "A parrot with these answers, and a cache that its completions share."

    def __init__(self, answers: dict[str, str]) -> None:
        self.parrot = Parrot(answers)
        self.cache = PrefixCache(self.parrot)

    def steps(self, prompt: str, context: int = 1000, **options: Any) -> Any:
        completion = Completion("tiny", prompt, **options)
        return generate(self.parrot, self.cache, self.parrot.vocabulary, completion, context)

    def complete(self, prompt: str, context: int = 1000, **options: Any) -> list[Piece | Done]:
        return [item for item in self.steps(prompt, context, **options) if item is not None]


@pytest.mark.parametrize(
    ("answer", "options", "texts", "reason", "tokens"),
    [
        pytest.param("ab<|return|>", {}, ["a", "b"], "stop", 3, id="return"),
        pytest.param("a<|call|>", {}, ["a"], "stop", 2, id="call"),
        pytest.param("a<|end|>b<|return|>", {}, ["a", "<|end|>", "b"], "stop", 4, id="marker inside"),
        pytest.param("<|return|>", {}, [], "stop", 1, id="empty"),
        pytest.param("abc", {"max_tokens": 2}, ["a", "b"], "length", 2, id="max_tokens"),
        pytest.param("abcd", {"stop": ("bc",)}, ["a"], "stop", 3, id="stop string"),
        pytest.param("ab<|return|>", {"stop": ("bc",)}, ["a", "b"], "stop", 3, id="start of a stop string"),
        pytest.param(
            "abd<|return|>", {"stop": ("bc",)}, ["a", "b", "d"], "stop", 4, id="no stop string after all"
        ),
        pytest.param(
            "ab",
            {"stop": ("bc",), "max_tokens": 2},
            ["a", "b"],
            "length",
            2,
            id="start of a stop string at max_tokens",
        ),
        pytest.param("é<|return|>", {}, ["é"], "stop", 3, id="character of two tokens"),
        pytest.param("abc", {"context": 8}, ["a", "b"], "length", 2, id="context is full"),
    ],
)
def test_items(answer: str, options: Any, texts: list[str], reason: str, tokens: int) -> None:
    items = Harness({"prompt": answer}).complete("prompt", **options)
    assert [item.text for item in items if isinstance(item, Piece)] == texts
    end = done(items)
    assert (end.reason, end.prompt_tokens, end.completion_tokens) == (reason, 6, tokens)
    assert None not in (end.prompt_ms, end.completion_ms)


def test_log_probabilities() -> None:
    harness = Harness({"p": "a<|return|>"})
    [piece, _] = harness.complete("p", top_logprobs=2)
    top = (Logprob("a", -0.5, (97,)), Logprob("\0", -2.0, (0,)))
    assert piece == Piece("a", (Logprob("a", -0.5, (97,), top),))
    [piece, _] = harness.complete("p", top_logprobs=0)
    assert piece == Piece("a", (Logprob("a", -0.5, (97,)),))


def test_prompt_longer_than_the_context() -> None:
    harness = Harness({})
    with pytest.raises(ContextOverflow, match="6 tokens, and the context 6") as raised:
        next(harness.steps("prompt", context=6))
    assert (raised.value.prompt_tokens, raised.value.context_length) == (6, 6)
    assert harness.parrot.evaluated == []


def test_long_prompt_is_evaluated_in_chunks() -> None:
    harness = Harness({"x" * 600: "a<|return|>"})
    steps = harness.steps("x" * 600)
    assert [next(steps) for _ in range(3)] == [None] * 3
    assert harness.parrot.evaluated == [CHUNK, CHUNK, 600 - 2 * CHUNK]


def test_cached_prefix_is_not_evaluated_again() -> None:
    harness = Harness({"question": "answer<|return|>", "question answered": "b<|return|>"})
    harness.complete("question")
    harness.parrot.evaluated.clear()
    assert text(harness.complete("question answered")) == "b"
    assert harness.parrot.evaluated == [len(" answered"), 1]
    harness.parrot.evaluated.clear()
    assert text(harness.complete("question")) == "answer"
    assert harness.parrot.evaluated[0] == 1, "the last token, for the logits of the next one"


def test_answer_that_the_next_prompt_lacks_is_dropped() -> None:
    harness = Harness({"a long question": "hm.<|return|>", "a long question and more": "b<|return|>"})
    harness.complete("a long question")
    harness.parrot.evaluated.clear()
    assert text(harness.complete("a long question and more")) == "b"
    assert (harness.parrot.dropped, harness.parrot.evaluated) == ([3], [len(" and more"), 1])


def test_another_conversation_copies_a_short_prefix() -> None:
    harness = Harness({"system, one long question": "a<|return|>", "system, two": "b<|return|>"})
    harness.complete("system, one long question")
    harness.complete("system, two")
    assert (harness.parrot.copied, harness.parrot.dropped) == ([len("system, ")], [])
    harness.parrot.evaluated.clear()
    harness.complete("system, one long question")
    assert harness.parrot.evaluated == [1, 1]


def test_cache_is_limited_to_the_context() -> None:
    harness = Harness({"a" * 50: "a<|return|>", "b" * 50: "b<|return|>"})
    for letter in "ab":
        harness.complete(letter * 50, context=80)
    harness.parrot.evaluated.clear()
    harness.complete("b" * 50, context=80)
    assert harness.parrot.evaluated[0] == 1
    harness.complete("a" * 50, context=80)
    assert 50 in harness.parrot.evaluated


def test_interleaved_completions() -> None:
    harness = Harness({"p": "abc<|return|>", "q": "xyz<|return|>"})
    first, second = harness.steps("p"), harness.steps("q")
    items = [item for pair in zip(first, second, strict=True) for item in pair]
    assert [item.text for item in items if isinstance(item, Piece)] == ["a", "x", "b", "y", "c", "z"]


def test_closed_completion_stays_cached() -> None:
    harness = Harness({"prompt": "abc<|return|>"})
    steps = harness.steps("prompt")
    assert [next(steps), next(steps)] == [None, Piece("a")]
    steps.close()
    harness.parrot.evaluated.clear()
    assert text(harness.complete("prompt")) == "abc"
    assert harness.parrot.evaluated[0] == 1


def test_failed_completion_is_not_cached() -> None:
    harness = Harness({"prompt": "abc<|return|>"})
    steps = harness.steps("prompt")
    next(steps)
    next(steps)
    harness.parrot.error = ValueError("bang")
    with pytest.raises(ValueError, match="bang"):
        next(steps)
    harness.parrot.error = None
    harness.parrot.evaluated.clear()
    harness.complete("prompt")
    assert harness.parrot.evaluated[0] == 6
