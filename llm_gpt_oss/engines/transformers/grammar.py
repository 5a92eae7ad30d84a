"""Constrain text to a JSON schema: before each token, mask those that the schema does not allow."""

from __future__ import annotations

import json
from typing import Any, Literal

import torch
from llguidance import LLMatcher, LLTokenizer

from ...completion import Json
from ...errors import UnusableSchema
from ..grammar_subset import grammar_subset

# Keywords that cannot be constrained are ignored, as by other engines: the answer is validated against the
# whole schema. White space is limited, because a confused model may generate nothing else.
OVERRIDES: dict[str, Any] = {"lenient": True, "whitespace_pattern": r"[ \t\r\n]{1,20}"}


class GrammarCompiler:
    """Compiles schemas for one vocabulary.

    `tokenizer` is the text of tokenizer.json, `size` the number of logits, `stop_tokens` may end a text.
    """

    def __init__(self, tokenizer: str, size: int, stop_tokens: list[int]) -> None:
        self._tokenizer = LLTokenizer(tokenizer, n_vocab=size, eos_token=stop_tokens)

    def compile(self, schema: Json | Literal["json"]) -> Grammar:
        "Return the grammar of a schema, or of any JSON object. Raises UnusableSchema."
        if schema == "json":
            return Grammar(self._matcher({"type": "object"}))
        matcher = self._matcher(schema)
        if matcher.is_error():  # such as lookaheads in a pattern, or a reference to another document
            matcher = self._matcher(grammar_subset(schema))
        if matcher.is_error():
            raise UnusableSchema(
                f"The schema cannot constrain the answer: {matcher.get_error().splitlines()[0]}.",
                remedy="Use only plain types, properties, items, enum and required in it.",
            )
        return Grammar(matcher)

    def _matcher(self, schema: Json) -> Any:
        grammar = LLMatcher.grammar_from_json_schema(json.dumps(schema), overrides=OVERRIDES)
        return LLMatcher(self._tokenizer, grammar, log_level=0)


class Grammar:
    "A compiled schema, and the position of one text in it."

    def __init__(self, matcher: Any) -> None:
        self._matcher = matcher

    def mask(self, logits: torch.Tensor) -> torch.Tensor:
        "Return the logits, minus infinity for tokens that are not allowed. After an error all are allowed."
        allowed = bytearray(self._matcher.compute_logit_bias())
        if self._matcher.is_error():
            return logits
        # A byte for each token: 0 if it is not allowed.
        mask = torch.frombuffer(allowed, dtype=torch.uint8)[: len(logits)]
        return logits.masked_fill(mask.to(logits.device) == 0, float("-inf"))

    def advance(self, token: int) -> None:
        self._matcher.consume_token(token)
