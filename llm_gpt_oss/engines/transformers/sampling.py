"""Sample the next token from the model's logits, with the samplers in the order of llama.cpp and Ollama."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from transformers import MinPLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

from ...completion import Completion, Sampling
from .generation import SampledToken
from .grammar import Grammar

# Penalties apply to the last tokens, as many as with llama.cpp and Ollama.
PENALTY_WINDOW = 64


class Sampler:
    """`generation.TokenSampler` for one completion.

    The defaults are those that OpenAI recommends for gpt-oss: temperature 1, and no token is excluded.
    """

    def __init__(self, completion: Completion, grammar: Grammar | None) -> None:
        self._sampling, self._grammar = completion.sampling, grammar
        self._top_logprobs = completion.top_logprobs
        self._random = torch.Generator()
        if completion.sampling.seed is None:
            self._random.seed()
        else:
            # Other engines accept negative seeds too.
            self._random.manual_seed(completion.sampling.seed % 2**63)
        self._filters = _filters(completion.sampling)

    def __call__(self, logits: torch.Tensor, tokens: Sequence[int]) -> SampledToken:
        with torch.inference_mode():
            return self._sample(logits.float(), tokens)

    def _sample(self, logits: torch.Tensor, tokens: Sequence[int]) -> SampledToken:
        adjusted = _penalize(logits.clone(), tokens[-PENALTY_WINDOW:], self._sampling)
        if self._grammar:
            adjusted = self._grammar.mask(adjusted)
        token = self._draw(adjusted)
        if self._grammar:
            self._grammar.advance(token)
        return self._with_logprobs(token, logits)

    def _draw(self, logits: torch.Tensor) -> int:
        temperature = 1.0 if self._sampling.temperature is None else self._sampling.temperature
        if temperature <= 0:
            return int(logits.argmax())
        logits = logits[None]
        for filter_ in self._filters:
            logits = filter_(None, logits)
        # On the CPU, so that a seed gives the same tokens on every device.
        probabilities = torch.softmax(logits[0] / temperature, dim=-1).cpu()
        return int(torch.multinomial(probabilities, 1, generator=self._random))

    def _with_logprobs(self, token: int, logits: torch.Tensor) -> SampledToken:
        "Add log probabilities if they are requested: the model's own, before penalties, grammar and filters."
        if self._top_logprobs is None:
            return SampledToken(token)
        logprobs = torch.log_softmax(logits, dim=-1)
        top = logprobs.topk(self._top_logprobs)
        top_logprobs = list(zip(top.indices.tolist(), top.values.tolist(), strict=True))
        return SampledToken(token, float(logprobs[token]), top_logprobs)


def _filters(sampling: Sampling) -> list[Any]:
    "Return the filters of Transformers that exclude tokens, without those whose values exclude none."
    filters: list[Any] = []
    if sampling.top_k is not None and sampling.top_k > 0:
        filters.append(TopKLogitsWarper(sampling.top_k))
    if sampling.top_p is not None and sampling.top_p < 1:
        filters.append(TopPLogitsWarper(sampling.top_p))
    if sampling.min_p is not None and sampling.min_p > 0:
        filters.append(MinPLogitsWarper(sampling.min_p))
    return filters


def _penalize(logits: torch.Tensor, last: Sequence[int], sampling: Sampling) -> torch.Tensor:
    "Lower the logits of the last tokens, in place."
    presence, frequency = sampling.presence_penalty or 0, sampling.frequency_penalty or 0
    repeat = sampling.repeat_penalty or 1.0
    if not (presence or frequency or repeat != 1):
        return logits
    seen, counts = torch.tensor(last, device=logits.device).unique(return_counts=True)
    values = logits[seen]
    values = torch.where(values > 0, values / repeat, values * repeat)
    logits[seen] = values - presence - counts * frequency
    return logits
