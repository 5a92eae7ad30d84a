"""One completion in steps: each reads a piece of the prompt, or writes a token.

Knows of the model only what `Network` says.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from time import perf_counter
from typing import Any, Literal, NamedTuple, Protocol, cast

from ...completion import Completion, Done, Logprob, Piece
from ...errors import ContextOverflow
from .tokens import TextWriter, Tokens

# The prompt is read in pieces of this many tokens: attention takes memory for each pair of a new token and an
# old one, and between two pieces others get their turn, and one who has left is noticed.
CHUNK = 256


class Choice(NamedTuple):
    "A token; with its log probability, and those of the likeliest, where they were asked for."

    token: int
    chance: float | None = None
    rivals: Sequence[tuple[int, float]] = ()


class Model(Protocol):
    "The model. A state is what it has read, `scores` are what it would write next."

    def state(self) -> Any:
        "One that has read nothing."

    def copy(self, state: Any, count: int) -> Any:
        "Another that has read the first tokens of this one."

    def read(self, state: Any, tokens: Sequence[int]) -> Any:
        "The scores behind these tokens, which `state` holds from now on."

    def forget(self, state: Any, count: int) -> None:
        "The last tokens of a state, taken back."

    def chooser(self, wanted: Completion) -> Chooser:
        "Raises UnusableSchema."


class Chooser(Protocol):
    def __call__(self, scores: Any, text: Sequence[int]) -> Choice:
        "The next token. `text` is all that was read so far."


class CachedPrefix:
    "What the model has read in one conversation, and knows as long as this is kept."

    def __init__(self, network: Model, state: Any, tokens: list[int]) -> None:
        self._network, self._state, self.tokens = network, state, tokens

    def read(self, tokens: Sequence[int]) -> Any:
        scores = self._network.read(self._state, tokens)
        self.tokens += tokens
        return scores

    def keep(self, count: int) -> None:
        "The first `count` tokens alone."
        if count < len(self.tokens):
            self._network.forget(self._state, len(self.tokens) - count)
            del self.tokens[count:]

    def copy(self, count: int) -> CachedPrefix:
        return CachedPrefix(self._network, self._network.copy(self._state, count), self.tokens[:count])


class PrefixCache:
    """What is kept for the next prompt that begins like an earlier one: of the last conversations, and of no
    more tokens than one context has."""

    def __init__(self, network: Model) -> None:
        self._network = network
        self._kept: list[CachedPrefix] = []

    @contextmanager
    def taken(self, tokens: Sequence[int], context: int) -> Iterator[CachedPrefix]:
        "One that knows as much of these tokens as any, and nothing else; the last is left to be read."
        best = max(self._kept, key=lambda memory: _common(memory.tokens, tokens), default=None)
        count = min(_common(best.tokens, tokens), len(tokens) - 1) if best else 0
        if best is None or not count:
            best = CachedPrefix(self._network, self._network.state(), [])
        elif 2 * count < len(best.tokens):
            # Another conversation, which has the system message in common with this one.
            best = best.copy(count)
        else:
            self._kept.remove(best)
            best.keep(count)
        # After an error it is not kept: some layers may have read what others have not.
        try:
            yield best
        except GeneratorExit:
            self._keep(best, context)
            raise
        self._keep(best, context)

    def _keep(self, memory: CachedPrefix, context: int) -> None:
        self._kept.append(memory)
        while sum(len(each.tokens) for each in self._kept) > context and len(self._kept) > 1:
            del self._kept[0]


def _common(a: Sequence[int], b: Sequence[int]) -> int:
    shorter = min(len(a), len(b))
    if a[:shorter] == b[:shorter]:
        return shorter
    return next(at for at in range(shorter) if a[at] != b[at])


def generation(
    network: Model, memories: PrefixCache, tokens: Tokens, wanted: Completion, context: int
) -> Generator[Piece | Done | None, None, None]:
    "Pieces, and None for a step that gave none; then Done. Closing it keeps what was read."
    prompt = tokens.of(wanted.prompt)
    if len(prompt) >= context:
        raise ContextOverflow(
            f"The prompt has {len(prompt)} tokens, and the context {context}.",
            prompt_tokens=len(prompt),
            context_length=context,
            remedy=f"Type `-o num_ctx` with more than {len(prompt)}, or `-o truncate 1`.",
        )
    choose, writer = network.chooser(wanted), TextWriter(wanted.stop)
    written, reason = 0, cast(Literal["stop", "length"] | None, None)
    with memories.taken(prompt, context) as memory:
        began = perf_counter()
        for at in range(len(memory.tokens), len(prompt), CHUNK):
            scores = memory.read(prompt[at : at + CHUNK])
            yield None
        begun = perf_counter()
        while reason is None:
            choice = choose(scores, memory.tokens)
            written += 1
            if choice.token not in tokens.ending:
                out = [*writer.feed(tokens.bytes(choice.token), _logprob(tokens, choice))]
                yield out[0] if out else None
            if choice.token in tokens.ending or writer.stopped:
                reason = "stop"
            elif written == wanted.max_tokens or len(memory.tokens) + 1 >= context:
                reason = "length"
            else:
                scores = memory.read([choice.token])
        yield from writer.finish()
        ended = perf_counter()
    yield Done(
        reason,
        prompt_tokens=len(prompt),
        completion_tokens=written,
        prompt_ms=(begun - began) * 1000,
        completion_ms=(ended - begun) * 1000,
    )


def _logprob(tokens: Tokens, choice: Choice) -> Logprob | None:
    if choice.chance is None:
        return None
    rivals = [tokens.logprob(token, chance) for token, chance in choice.rivals]
    return tokens.logprob(choice.token, choice.chance, rivals)
