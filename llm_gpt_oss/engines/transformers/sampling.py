"How the next token is drawn from the model's scores, in the order that llama.cpp and Ollama have."

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from transformers import MinPLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

from ...completion import Completion, Sampling
from .generation import Choice
from .grammar import Grammar

# Penalties look at the last tokens, as with llama.cpp and Ollama.
LOOK_BACK = 64


class Sampler:
    """`generation.Chooser`. What was not asked for is as OpenAI advises for gpt-oss: nothing is cut off the
    choice, and the temperature is 1."""

    def __init__(self, wanted: Completion, grammar: Grammar | None) -> None:
        self._sampling, self._grammar = wanted.sampling, grammar
        self._rivals = wanted.top_logprobs
        self._random = torch.Generator()
        if wanted.sampling.seed is None:
            self._random.seed()
        else:
            # Negative ones too, as other engines take them.
            self._random.manual_seed(wanted.sampling.seed % 2**63)
        self._cuts = _cuts(wanted.sampling)

    def __call__(self, scores: torch.Tensor, text: Sequence[int]) -> Choice:
        with torch.inference_mode():
            return self._choice(scores, text)

    def _choice(self, scores: torch.Tensor, text: Sequence[int]) -> Choice:
        told = scores.float()
        scores = _penalised(told.clone(), text[-LOOK_BACK:], self._sampling)
        if self._grammar:
            scores = self._grammar.bound(scores)
        token = self._drawn(scores)
        if self._grammar:
            self._grammar.take(token)
        return self._told(token, told)

    def _drawn(self, scores: torch.Tensor) -> int:
        heat = 1.0 if self._sampling.temperature is None else self._sampling.temperature
        if heat <= 0:
            return int(scores.argmax())
        scores = scores[None]
        for cut in self._cuts:
            scores = cut(None, scores)
        # Drawn by the processor: a seed says the same wherever the model is.
        chances = torch.softmax(scores[0] / heat, dim=-1).cpu()
        return int(torch.multinomial(chances, 1, generator=self._random))

    def _told(self, token: int, scores: torch.Tensor) -> Choice:
        "As the model thought before anything was asked of the choice."
        if self._rivals is None:
            return Choice(token)
        chances = torch.log_softmax(scores, dim=-1)
        top = chances.topk(self._rivals)
        rivals = list(zip(top.indices.tolist(), top.values.tolist(), strict=True))
        return Choice(token, float(chances[token]), rivals)


def _cuts(asked: Sampling) -> list[Any]:
    "Values that cut nothing off are left out."
    cuts: list[Any] = []
    if asked.top_k is not None and asked.top_k > 0:
        cuts.append(TopKLogitsWarper(asked.top_k))
    if asked.top_p is not None and asked.top_p < 1:
        cuts.append(TopPLogitsWarper(asked.top_p))
    if asked.min_p is not None and asked.min_p > 0:
        cuts.append(MinPLogitsWarper(asked.min_p))
    return cuts


def _penalised(scores: torch.Tensor, last: Sequence[int], asked: Sampling) -> torch.Tensor:
    repeat, presence, frequency = asked.repeat_penalty, asked.presence_penalty, asked.frequency_penalty
    if not (presence or frequency or repeat not in (None, 1)):
        return scores
    seen, times = torch.tensor(last, device=scores.device).unique(return_counts=True)
    found, by = scores[seen], repeat or 1.0
    found = torch.where(found > 0, found / by, found * by)
    scores[seen] = found - (presence or 0) - times * (frequency or 0)
    return scores
