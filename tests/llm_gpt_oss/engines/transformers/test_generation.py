from __future__ import annotations

from typing import Any

import pytest
from support.engine_prompts import done, text
from support.parrot import Parrot

from llm_gpt_oss.completion import Completion, Done, Logprob, Piece
from llm_gpt_oss.engines.transformers.generation import CHUNK, PrefixCache, generate
from llm_gpt_oss.errors import ContextOverflow


class Model:
    def __init__(self, says: dict[str, str]) -> None:
        self.network = Parrot(says)
        self.memories = PrefixCache(self.network)

    def steps(self, prompt: str, context: int = 1000, **more: Any) -> Any:
        wanted = Completion("tiny", prompt, **more)
        return generate(self.network, self.memories, self.network.tokens, wanted, context)

    def said(self, prompt: str, context: int = 1000, **more: Any) -> list[Piece | Done]:
        return [item for item in self.steps(prompt, context, **more) if item is not None]


@pytest.mark.parametrize(
    ("says", "more", "said", "reason", "tokens"),
    [
        pytest.param("ab<|return|>", {}, ["a", "b"], "stop", 3, id="to its end"),
        pytest.param("a<|call|>", {}, ["a"], "stop", 2, id="a call"),
        pytest.param("a<|end|>b<|return|>", {}, ["a", "<|end|>", "b"], "stop", 4, id="a marker within"),
        pytest.param("<|return|>", {}, [], "stop", 1, id="nothing"),
        pytest.param("abc", {"max_tokens": 2}, ["a", "b"], "length", 2, id="a limit"),
        pytest.param("abcd", {"stop": ("bc",)}, ["a"], "stop", 3, id="a stop string"),
        pytest.param("ab<|return|>", {"stop": ("bc",)}, ["a", "b"], "stop", 3, id="what was held"),
        pytest.param("ab", {"stop": ("bc",), "max_tokens": 2}, ["a", "b"], "length", 2, id="held at a limit"),
        pytest.param("é<|return|>", {}, ["é"], "stop", 3, id="two tokens, a letter"),
        pytest.param("abc", {"context": 8}, ["a", "b"], "length", 2, id="the end of the context"),
    ],
)
def test_what_is_written(says: str, more: Any, said: list[str], reason: str, tokens: int) -> None:
    items = Model({"prompt": says}).said("prompt", **more)
    assert [item.text for item in items if isinstance(item, Piece)] == said
    end = done(items)
    assert (end.reason, end.prompt_tokens, end.completion_tokens) == (reason, 6, tokens)
    assert None not in (end.prompt_ms, end.completion_ms)


def test_log_probabilities() -> None:
    model = Model({"p": "a<|return|>"})
    [piece, _] = model.said("p", top_logprobs=2)
    rivals = (Logprob("a", -0.5, (97,)), Logprob("\0", -2.0, (0,)))
    assert piece == Piece("a", (Logprob("a", -0.5, (97,), rivals),))
    [piece, _] = model.said("p", top_logprobs=0)
    assert piece == Piece("a", (Logprob("a", -0.5, (97,)),))


def test_a_prompt_that_is_too_long() -> None:
    model = Model({})
    with pytest.raises(ContextOverflow, match="6 tokens, and the context 6") as raised:
        next(model.steps("prompt", context=6))
    assert (raised.value.prompt_tokens, raised.value.context_length) == (6, 6)
    assert model.network.reads == []


def test_a_long_prompt_is_read_in_pieces_with_room_between_them() -> None:
    model = Model({"x" * 600: "a<|return|>"})
    steps = model.steps("x" * 600)
    assert [next(steps) for _ in range(3)] == [None] * 3
    assert model.network.reads == [CHUNK, CHUNK, 600 - 2 * CHUNK]


def test_what_was_read_is_not_read_again() -> None:
    model = Model({"question": "answer<|return|>", "question answered": "b<|return|>"})
    model.said("question")
    model.network.reads.clear()
    assert text(model.said("question answered")) == "b"
    assert model.network.reads == [len(" answered"), 1]
    model.network.reads.clear()
    assert text(model.said("question")) == "answer"
    assert model.network.reads[0] == 1, "the last token, for what comes behind it"


def test_an_answer_that_is_not_in_the_next_prompt_is_forgotten() -> None:
    model = Model({"a long question": "hm.<|return|>", "a long question and more": "b<|return|>"})
    model.said("a long question")
    model.network.reads.clear()
    assert text(model.said("a long question and more")) == "b"
    assert (model.network.forgot, model.network.reads) == ([3], [len(" and more"), 1])


def test_who_shares_only_the_beginning_takes_nothing_away() -> None:
    model = Model({"system, one long question": "a<|return|>", "system, two": "b<|return|>"})
    model.said("system, one long question")
    model.said("system, two")
    assert (model.network.copied, model.network.forgot) == ([len("system, ")], [])
    model.network.reads.clear()
    model.said("system, one long question")
    assert model.network.reads == [1, 1]


def test_no_more_is_kept_than_one_context_has() -> None:
    model = Model({"a" * 50: "a<|return|>", "b" * 50: "b<|return|>"})
    for letter in "ab":
        model.said(letter * 50, context=80)
    model.network.reads.clear()
    model.said("b" * 50, context=80)
    assert model.network.reads[0] == 1
    model.said("a" * 50, context=80)
    assert 50 in model.network.reads


def test_two_at_once_do_not_disturb_each_other() -> None:
    model = Model({"p": "abc<|return|>", "q": "xyz<|return|>"})
    one, two = model.steps("p"), model.steps("q")
    items = [item for pair in zip(one, two, strict=True) for item in pair]
    assert [item.text for item in items if isinstance(item, Piece)] == ["a", "x", "b", "y", "c", "z"]


def test_what_was_read_for_one_who_left_is_kept() -> None:
    model = Model({"prompt": "abc<|return|>"})
    steps = model.steps("prompt")
    assert [next(steps), next(steps)] == [None, Piece("a")]
    steps.close()
    model.network.reads.clear()
    assert text(model.said("prompt")) == "abc"
    assert model.network.reads[0] == 1


def test_what_failed_is_not_kept() -> None:
    model = Model({"prompt": "abc<|return|>"})
    steps = model.steps("prompt")
    next(steps)
    next(steps)
    model.network.error = ValueError("bang")
    with pytest.raises(ValueError, match="bang"):
        next(steps)
    model.network.error = None
    model.network.reads.clear()
    model.said("prompt")
    assert model.network.reads[0] == 6
