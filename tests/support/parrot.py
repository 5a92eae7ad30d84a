"""A stand-in for a model in torch: it generates scripted answers, and records what it is asked to evaluate.

Its vocabulary has a token for each byte and one for each marker. The answer depends on all evaluated tokens:
after an unknown prompt, or another answer than the scripted one, sampling fails.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

from llm_gpt_oss.completion import Completion
from llm_gpt_oss.engines.transformers.generation import SampledToken
from llm_gpt_oss.engines.transformers.tokens import LETTER_TO_BYTE, MARKERS, Vocabulary

LETTERS = {byte: letter for letter, byte in LETTER_TO_BYTE.items()}
IDS = {marker: 256 + at for at, marker in enumerate(MARKERS)}


class ByteTokenizer:
    "`tokens.Tokenizer` with a token for each byte."

    def __init__(self, markers: Sequence[str] = MARKERS) -> None:
        self.markers = {256 + at: marker for at, marker in enumerate(markers)}

    def encode(self, text: str, *, add_special_tokens: bool) -> Any:
        assert not add_special_tokens
        ids: list[int] = []
        while text:
            marker = next((m for m in IDS if text.startswith(m)), None)
            ids += [IDS[marker]] if marker else text[0].encode()
            text = text[len(marker or "x") :]
        return SimpleNamespace(ids=ids)

    def id_to_token(self, token: int) -> str | None:
        return self.markers.get(token) or LETTERS.get(token)

    def token_to_id(self, text: str) -> int | None:
        return IDS.get(text)

    def get_added_tokens_decoder(self) -> Any:
        return {token: SimpleNamespace(content=marker) for token, marker in self.markers.items()}


class Parrot:
    """`generation.Model`: after each prompt in `answers` it generates the answer.

    A state is a list of tokens. The logits are a tuple of all tokens before the next one.
    """

    def __init__(self, answers: dict[str, str]) -> None:
        self.vocabulary = Vocabulary(ByteTokenizer(), "parrot")
        encode = self.vocabulary.encode
        self.answers = {tuple(encode(prompt)): encode(answer) for prompt, answer in answers.items()}
        self.evaluated: list[int] = []
        self.dropped: list[int] = []
        self.copied: list[int] = []
        self.threads: set[str] = set()
        self.error: Exception | None = None
        self.go = threading.Event()
        self.go.set()

    def new_state(self) -> Any:
        return []

    def copy(self, state: Any, count: int) -> Any:
        self.copied.append(count)
        return state[:count]

    def evaluate(self, state: Any, tokens: Sequence[int]) -> Any:
        self.threads.add(threading.current_thread().name)
        assert self.go.wait(5)
        if self.error:
            raise self.error
        self.evaluated.append(len(tokens))
        state += tokens
        return tuple(state)

    def drop_last(self, state: Any, count: int) -> None:
        self.dropped.append(count)
        del state[-count:]

    def sampler(self, completion: Completion) -> Any:
        def sample(logits: Any, tokens: Sequence[int]) -> SampledToken:
            assert logits == tuple(tokens)
            for prompt, answer in self.answers.items():
                generated = logits[len(prompt) :]
                if logits[: len(prompt)] == prompt and list(generated) == answer[: len(generated)]:
                    token = answer[len(generated)]
                    if completion.top_logprobs is None:
                        return SampledToken(token)
                    top = [(token, -0.5), (0, -2.0)][: completion.top_logprobs]
                    return SampledToken(token, -0.5, top)
            raise AssertionError(f"no answer to {logits}")

        return sample
