"An engine whose prompts have a token for each word, and that answers with a few."

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from llm_gpt_oss.completion import Completion, Done, Piece
from llm_gpt_oss.engines.ollama.provider import OllamaProvider
from llm_gpt_oss.errors import ContextOverflow

ANSWER = ("<|channel|>", "final", "<|message|>", "It", " goes", " on")


class CountingEngine:
    """`context` is how many tokens fit into it. `done` are more fields of the end of an answer.

    `errors` has an error, or another exception, for the nth completion, the first is 1.
    """

    def __init__(
        self, context: int = 10_000, errors: dict[int, BaseException] | None = None, **done: Any
    ) -> None:
        self.asked: list[Completion] = []
        self.opened = 0
        self._context = context
        self._errors = errors or {}
        self._done = done

    def complete(self, completion: Completion) -> Generator[Piece | Done, None, None]:
        self.asked.append(completion)
        if error := self._errors.get(len(self.asked)):
            raise error
        tokens = len(completion.prompt.split())
        if tokens > self._context:
            raise ContextOverflow("The prompt is too long.", remedy="Shorten it.")
        for text in ANSWER:
            yield Piece(text)
        counts = {"prompt_tokens": tokens, "completion_tokens": len(ANSWER) + 1}
        yield Done("stop", **{**counts, **self._done})

    @contextmanager
    def open(self, *_: Any) -> Iterator[CountingEngine]:
        self.opened += 1
        yield self

    def put(self, monkeypatch: pytest.MonkeyPatch) -> CountingEngine:
        "Let models find this engine where Ollama would be."
        monkeypatch.setattr(OllamaProvider, "open", self.open)
        return self
