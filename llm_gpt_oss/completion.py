"""The engine's contract: complete this text, within these bounds.

All that is above this module knows engines by these types alone.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Sampling:
    "How tokens are drawn. None leaves the choice to the engine and its model file."

    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    seed: int | None = None
    repeat_penalty: float | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None


@dataclass(frozen=True, slots=True)
class Completion:
    """A text to complete, and its bounds.

    `format` binds the text from its first token on: a JSON schema, or "json" for any JSON object.
    `stop` strings match the model's raw text, markers included, and are not part of the answer.
    `top_logprobs` asks for log probabilities: 0 for the chosen tokens alone, up to 20 rivals each.
    `context_length` and `keep_alive` are for engines that load models by themselves; None leaves them to it.
    `batch` says that nobody reads the answer as it is written: the engine may join pieces and delay them a little.
    """

    model: str
    prompt: str
    format: Json | Literal["json"] | None = None
    stop: tuple[str, ...] = ()
    max_tokens: int | None = None
    top_logprobs: int | None = None
    context_length: int | None = None
    keep_alive: str | int | float | None = None
    sampling: Sampling = field(default_factory=Sampling)
    batch: bool = False


@dataclass(frozen=True, slots=True)
class Logprob:
    "One token, its log probability, and the rivals that were asked for (most likely first)."

    token: str
    logprob: float
    bytes: tuple[int, ...] | None = None
    top: tuple[Logprob, ...] = ()


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of the model's text, usually one token.

    A marker is only ever a whole piece, or stands whole inside a piece that the engine joined.
    """

    text: str
    logprobs: tuple[Logprob, ...] = ()
    tokens: int = 1


@dataclass(frozen=True, slots=True)
class Done:
    """How a completion ended: it stopped by itself or at a stop string, or it was cut for length.

    Counts are tokens, times are milliseconds; None where the engine does not say.
    `completion_tokens` includes the marker that ended the text, though that marker is no piece.
    """

    reason: Literal["stop", "length"]
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    load_ms: float | None = None
    prompt_ms: float | None = None
    completion_ms: float | None = None


class Engine(Protocol):
    "Completes text. Closing the generator stops the work at the engine's end."

    def complete(self, completion: Completion) -> Generator[Piece | Done, None, None]:
        """Pieces as they come, then exactly one Done, last.

        Raises the errors of `llm_gpt_oss.errors`: EngineUnreachable, ModelMissing, NotGptOss, EngineBusy,
        ContextOverflow, UnusableSchema and Unauthorized before the first piece, EmptyStream in its place,
        StreamCut and EngineError at any time.
        """


class AsyncEngine(Protocol):
    "The same, awaited."

    def complete(self, completion: Completion) -> AsyncGenerator[Piece | Done, None]:
        "As `Engine.complete`."
