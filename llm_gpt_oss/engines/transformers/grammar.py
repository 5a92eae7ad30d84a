"Schemas bind the text: before each token, those that could not go on are ruled out."

from __future__ import annotations

import json
from typing import Any, Literal

import torch
from llguidance import LLMatcher, LLTokenizer

from ...completion import Json
from ...errors import UnusableSchema
from ..grammar_subset import grammar_subset

# What it cannot bind it leaves out, as other engines do: the answer is checked against the whole schema.
# White space has an end: a model that has lost its way may write nothing else.
LENIENT: dict[str, Any] = {"lenient": True, "whitespace_pattern": r"[ \t\r\n]{1,20}"}


class Grammars:
    "`tokenizer` is the text of tokenizer.json, `size` the length of the model's scores."

    def __init__(self, tokenizer: str, size: int, ending: list[int]) -> None:
        self._tokenizer = LLTokenizer(tokenizer, n_vocab=size, eos_token=ending)

    def of(self, wanted: Json | Literal["json"]) -> Grammar:
        if wanted == "json":
            return Grammar(self._matcher({"type": "object"}))
        matcher = self._matcher(wanted)
        if matcher.is_error():  # lookaheads in a pattern, or a reference elsewhere
            matcher = self._matcher(grammar_subset(wanted))
        if matcher.is_error():
            raise UnusableSchema(
                f"The schema cannot be bound: {matcher.get_error().splitlines()[0]}.",
                remedy="Write it in plain types, properties, items, enum and required.",
            )
        return Grammar(matcher)

    def _matcher(self, schema: Json) -> Any:
        grammar = LLMatcher.grammar_from_json_schema(json.dumps(schema), overrides=LENIENT)
        return LLMatcher(self._tokenizer, grammar, log_level=0)


class Grammar:
    "A schema, and how far the text has come in it."

    def __init__(self, matcher: Any) -> None:
        self._matcher = matcher

    def bound(self, scores: torch.Tensor) -> torch.Tensor:
        "Nothing is ruled out once it can say no more: the text was too much for it."
        allowed = bytearray(self._matcher.compute_logit_bias())
        if self._matcher.is_error():
            return scores
        # One byte for each token.
        mask = torch.frombuffer(allowed, dtype=torch.uint8)[: len(scores)]
        return scores.masked_fill(mask.to(scores.device) == 0, float("-inf"))

    def take(self, token: int) -> None:
        self._matcher.consume_token(token)
