"""A stand-in for a model of Transformers: it says what it was told to, and remembers what it was asked.

Its vocabulary has a token for each byte and one for each marker. What it says depends on all that it has
read: it says nothing behind a text that it was not told of.
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


class Bytewise:
    "`text.Tokenizer`."

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
    "`generation.Network`: after each of these prompts it says what stands there. Scores are a position."

    def __init__(self, says: dict[str, str]) -> None:
        self.tokens = Vocabulary(Bytewise(), "parrot")
        self.says = {
            tuple(self.tokens.encode(prompt)): self.tokens.encode(text) for prompt, text in says.items()
        }
        self.reads: list[int] = []
        self.forgot: list[int] = []
        self.copied: list[int] = []
        self.threads: set[str] = set()
        self.error: Exception | None = None
        self.go = threading.Event()
        self.go.set()

    def state(self) -> Any:
        return []

    def copy(self, state: Any, count: int) -> Any:
        self.copied.append(count)
        return state[:count]

    def read(self, state: Any, tokens: Sequence[int]) -> Any:
        self.threads.add(threading.current_thread().name)
        assert self.go.wait(5)
        if self.error:
            raise self.error
        self.reads.append(len(tokens))
        state += tokens
        return tuple(state)

    def forget(self, state: Any, count: int) -> None:
        self.forgot.append(count)
        del state[-count:]

    def chooser(self, wanted: Completion) -> Any:
        def choose(scores: Any, text: Sequence[int]) -> SampledToken:
            assert scores == tuple(text)
            for prompt, said in self.says.items():
                written = scores[len(prompt) :]
                if scores[: len(prompt)] == prompt and list(written) == said[: len(written)]:
                    token = said[len(written)]
                    if wanted.top_logprobs is None:
                        return SampledToken(token)
                    return SampledToken(token, -0.5, [(token, -0.5), (0, -2.0)][: wanted.top_logprobs])
            raise AssertionError(f"it was shown {scores}")

        return choose
