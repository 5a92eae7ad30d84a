"""Generate one completion in steps. Each step evaluates a chunk of the prompt, or generates one token.

This module knows a model only by the protocol `Model`, and imports nothing of torch.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from time import perf_counter
from typing import Any, Literal, NamedTuple, Protocol, cast

from ...completion import Completion, Done, Logprob, Piece
from ...errors import ContextOverflow
from .tokens import Detokenizer, Vocabulary

# Tokens of the prompt that are evaluated at once. Attention takes memory for each pair of a new token and an
# earlier one. Between two chunks other completions get their turn, and a cancelled one can stop.
CHUNK = 256


class SampledToken(NamedTuple):
    """A token that was sampled. If requested, it has log probabilities: its own and those of the likeliest
    tokens.
    """

    token: int
    logprob: float | None = None
    top_logprobs: Sequence[tuple[int, float]] = ()


class Model(Protocol):
    "A language model. A state is a key/value cache: it has the tokens that were evaluated so far."

    def new_state(self) -> Any:
        "Return an empty state."

    def copy(self, state: Any, count: int) -> Any:
        "Return a copy of the first `count` tokens of a state."

    def evaluate(self, state: Any, tokens: Sequence[int]) -> Any:
        "Append the tokens to the state, and return the logits for the next token."

    def drop_last(self, state: Any, count: int) -> None:
        "Remove the last `count` tokens from the state."

    def sampler(self, completion: Completion) -> TokenSampler:
        "Return a sampler for one completion. Raises UnusableSchema."


class TokenSampler(Protocol):
    def __call__(self, logits: Any, tokens: Sequence[int], /) -> SampledToken:
        "Choose the next token. `tokens` are all tokens before it, those of the prompt included."


class CachedPrefix:
    "A state of the model and the tokens in it."

    def __init__(self, model: Model, state: Any, tokens: list[int]) -> None:
        self._model, self._state, self.tokens = model, state, tokens

    def evaluate(self, tokens: Sequence[int]) -> Any:
        "Append the tokens, and return the logits for the next one."
        logits = self._model.evaluate(self._state, tokens)
        self.tokens += tokens
        return logits

    def truncate(self, count: int) -> None:
        "Keep only the first `count` tokens."
        if count < len(self.tokens):
            self._model.drop_last(self._state, len(self.tokens) - count)
            del self.tokens[count:]

    def copy(self, count: int) -> CachedPrefix:
        "Return a copy of the first `count` tokens."
        return CachedPrefix(self._model, self._model.copy(self._state, count), self.tokens[:count])


class PrefixCache:
    """Keeps the states of recent completions for prompts that start with the same tokens.

    Together they have at most as many tokens as the context. The state of the last completion always stays.
    """

    def __init__(self, model: Model) -> None:
        self._model = model
        self._entries: list[CachedPrefix] = []

    @contextmanager
    def borrow(self, tokens: Sequence[int], context: int) -> Iterator[CachedPrefix]:
        """Borrow the longest cached prefix of the tokens. It returns to the cache at the end of the block.

        The last token is never part of it, because evaluating it gives the logits for the next one.
        """
        prefix = max(self._entries, key=lambda entry: _common_length(entry.tokens, tokens), default=None)
        count = min(_common_length(prefix.tokens, tokens), len(tokens) - 1) if prefix else 0
        if prefix is None or not count:
            prefix = CachedPrefix(self._model, self._model.new_state(), [])
        elif 2 * count < len(prefix.tokens):
            # Another conversation, which only shares its first messages with this one. It stays cached.
            prefix = prefix.copy(count)
        else:
            self._entries.remove(prefix)
            prefix.truncate(count)
        # After an error it does not return to the cache: some layers may have evaluated tokens that others
        # have not.
        try:
            yield prefix
        except GeneratorExit:
            self._put_back(prefix, context)
            raise
        self._put_back(prefix, context)

    def _put_back(self, prefix: CachedPrefix, context: int) -> None:
        self._entries.append(prefix)
        while sum(len(entry.tokens) for entry in self._entries) > context and len(self._entries) > 1:
            del self._entries[0]


def _common_length(a: Sequence[int], b: Sequence[int]) -> int:
    shorter = min(len(a), len(b))
    if a[:shorter] == b[:shorter]:
        return shorter
    return next(at for at in range(shorter) if a[at] != b[at])


def generate(
    model: Model, cache: PrefixCache, vocabulary: Vocabulary, completion: Completion, context: int
) -> Generator[Piece | Done | None, None, None]:
    """Yield the pieces of the completion, then `Done`. Yield None for a step without a piece.

    If the generator is closed early, the cache keeps what was evaluated.
    """
    prompt = vocabulary.encode(completion.prompt)
    if len(prompt) >= context:
        raise ContextOverflow(
            f"The prompt has {len(prompt)} tokens, and the context {context}.",
            prompt_tokens=len(prompt),
            context_length=context,
            remedy=f"Type `-o num_ctx` with more than {len(prompt)}, or `-o truncate 1`.",
        )
    sample, detokenizer = model.sampler(completion), Detokenizer(completion.stop)
    count, reason = 0, cast(Literal["stop", "length"] | None, None)
    with cache.borrow(prompt, context) as prefix:
        prompt_began = perf_counter()
        for at in range(len(prefix.tokens), len(prompt), CHUNK):
            logits = prefix.evaluate(prompt[at : at + CHUNK])
            yield None
        completion_began = perf_counter()
        while reason is None:
            sampled = sample(logits, prefix.tokens)
            count += 1
            is_end = sampled.token in vocabulary.stop_tokens
            if not is_end:
                logprob = _logprob(vocabulary, sampled)
                pieces = [*detokenizer.feed(vocabulary.token_bytes(sampled.token), logprob)]
                yield from pieces or (None,)
            if is_end or detokenizer.stopped:
                reason = "stop"
            elif count == completion.max_tokens or len(prefix.tokens) + 1 >= context:
                reason = "length"
            else:
                logits = prefix.evaluate([sampled.token])
        yield from detokenizer.finish()
        ended = perf_counter()
    yield Done(
        reason,
        prompt_tokens=len(prompt),
        completion_tokens=count,
        prompt_ms=(completion_began - prompt_began) * 1000,
        completion_ms=(ended - completion_began) * 1000,
    )


def _logprob(vocabulary: Vocabulary, sampled: SampledToken) -> Logprob | None:
    if sampled.logprob is None:
        return None
    top = [vocabulary.logprob(token, logprob) for token, logprob in sampled.top_logprobs]
    return vocabulary.logprob(sampled.token, sampled.logprob, top)
