"""The interface of an engine: it completes a text within limits.

The turn, the models and the proxy use engines only through these types.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Sampling:
    "How the engine samples tokens. None leaves a value to the engine and its model file."

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
    """A text to complete, with limits.

    `format` constrains the text from its first token on: to a JSON schema, or to any JSON object ("json").
    `stop` strings match the model's raw text, markers included. They are not part of the answer.
    `top_logprobs` requests log probabilities: of the chosen tokens only (0), or also of up to 20
    alternatives for each token.
    `context_length` and `keep_alive` apply to engines that load models themselves. None leaves them to the
    engine.
    `batch` means that nobody reads the text while it is generated. The engine may then join pieces and
    delay them a little, which is cheaper.
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
    "A token with its log probability. `top` are the requested alternatives, most likely first."

    token: str
    logprob: float
    bytes: tuple[int, ...] | None = None
    top: tuple[Logprob, ...] = ()


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of the model's text, usually one token.

    A marker of harmony is always a piece by itself: `text` is exactly the marker. In any other piece, marker
    text is ordinary text that the model spelled out. There are two exceptions. With a `format`, nothing is a
    marker, because grammars allow special tokens inside strings. With `stop`, some servers do not report the
    tokens of text that they held back. In such text, every marker is a piece by itself, spelled out or not.

    `tokens` is the number of tokens, as far as the engine reports it.
    """

    text: str
    logprobs: tuple[Logprob, ...] = ()
    tokens: int = 1


@dataclass(frozen=True, slots=True)
class Done:
    """The end of a completion: the model stopped (also at a stop string), or a limit cut the text.

    Counts are tokens, times are milliseconds. None means that the engine does not report it.
    `completion_tokens` includes the marker that ended the text, although no piece contains that marker.
    """

    reason: Literal["stop", "length"]
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    load_ms: float | None = None
    prompt_ms: float | None = None
    completion_ms: float | None = None


class Engine(Protocol):
    "Completes text. Closing the generator stops the work of the engine."

    def complete(self, completion: Completion) -> Generator[Piece | Done, None, None]:
        """Yield pieces as they arrive, then exactly one Done.

        Raises the errors of `llm_gpt_oss.errors`. Before the first piece: EngineUnreachable, ModelMissing,
        NotGptOss, EngineBusy, ContextOverflow, UnusableSchema, Unauthorized. Instead of any piece:
        EmptyStream. At any time: StreamCut and EngineError.
        """


class AsyncEngine(Protocol):
    "The async interface of an engine. Many completions may run at the same time."

    def complete(self, completion: Completion) -> AsyncGenerator[Piece | Done, None]:
        "See `Engine.complete`."
