"""The options of a prompt: `-o`, `llm models options set`, templates, and keyword arguments in Python."""

from __future__ import annotations

import json
import re
from typing import Annotated, Any, Literal

import llm
from pydantic import BeforeValidator, ConfigDict, Field

from .completion import Sampling
from .harmony.conversation import Effort

ReasoningEffort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]

# Harmony has three efforts. For "none", the prompt also ends after an empty reasoning message.
EFFORTS: dict[ReasoningEffort, Effort] = {
    "none": "low",
    "minimal": "low",
    "low": "low",
    "medium": "medium",
    "high": "high",
    "xhigh": "high",
    "max": "high",
}


_INT32 = 2**31 - 1


def _stop_strings(value: Any) -> Any:
    "A string is one stop string, or a JSON list of several, because `-o` accepts only strings."
    if not isinstance(value, str):
        return value
    try:
        listed = json.loads(value)
    except ValueError:
        return [value]
    return listed if isinstance(listed, list) else [value]


def _keep_alive(value: Any) -> Any:
    "Convert a number in a string to a number: Ollama accepts seconds as a number only."
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", value):
        return float(value) if "." in value else int(value)
    if isinstance(value, str) and not re.fullmatch(r"-?([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+", value):
        raise ValueError(
            'needs a unit, such as "10m" or "1h30m", or is a number of seconds; -1 keeps it loaded'
        )
    return value


StopStrings = Annotated[list[Annotated[str, Field(min_length=1)]], BeforeValidator(_stop_strings)]
KeepAlive = Annotated[int | float | str, BeforeValidator(_keep_alive)]


class GptOssOptions(llm.Options):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    reasoning_effort: ReasoningEffort | None = Field(
        description="How much the model reasons before it answers. minimal is low, xhigh and max are high, "
        "none answers at once. Default: medium",
        default=None,
    )
    reasoning_tokens: int | None = Field(
        description="Maximum number of tokens for reasoning. The answer starts after them",
        default=None,
        ge=0,
        le=_INT32,
    )
    temperature: float | None = Field(
        description="Randomness of the answer. 0 always takes the most likely token", default=None, ge=0, le=2
    )
    top_p: float | None = Field(
        description="Sample from the most likely tokens whose probabilities add up to this value",
        default=None,
        ge=0,
        le=1,
    )
    top_k: int | None = Field(
        description="Sample from this many of the most likely tokens. 0 for all",
        default=None,
        ge=0,
        le=_INT32,
    )
    min_p: float | None = Field(
        description="Sample only tokens whose probability is at least this share of the most likely one's",
        default=None,
        ge=0,
        le=1,
    )
    seed: int | None = Field(
        description="The same seed gives the same answer. -1 for a random seed",
        default=None,
        ge=-1,
        le=_INT32,
    )
    max_tokens: int | None = Field(
        description="Maximum number of tokens to generate, including reasoning", default=None, ge=1, le=_INT32
    )
    stop: StopStrings | None = Field(
        description="End the answer before this string. A JSON list for several. Reasoning is not searched",
        default=None,
        min_length=1,
    )
    num_ctx: int | None = Field(
        description="Context length in tokens. Ollama reloads the model when it changes. "
        "Default: Ollama's own",
        default=None,
        ge=256,
        le=131072,
    )
    keep_alive: KeepAlive | None = Field(
        description="How long Ollama keeps the model loaded after the answer: 10m, 1h, seconds, "
        "or -1 for no limit. Default: Ollama's own",
        default=None,
    )
    repeat_penalty: float | None = Field(
        description="Penalty for tokens that were used recently. 1 for none", default=None, gt=0, le=10
    )
    presence_penalty: float | None = Field(
        description="Penalty for tokens that the text contains already", default=None, ge=-2, le=2
    )
    frequency_penalty: float | None = Field(
        description="Penalty for tokens, for each time that the text contains them", default=None, ge=-2, le=2
    )
    logprobs: bool | None = Field(
        description="Store the log probability of each token of the answer in the log", default=None
    )
    top_logprobs: int | None = Field(
        description="As logprobs, with this many alternatives for each token", default=None, ge=0, le=20
    )
    tool_choice: str | None = Field(
        description="auto, none, required, or the name of a tool that must be called. "
        "After the first tool result it is auto again",
        default=None,
        min_length=1,
    )
    parallel_tool_calls: bool | None = Field(
        description="Whether a turn may contain several tool calls. 0 keeps only the first. Default: 1",
        default=None,
    )
    truncate: bool | None = Field(
        description="Drop the oldest turns if the prompt is longer than the context, instead of failing",
        default=None,
    )

    @property
    def effort(self) -> Effort:
        "The effort as harmony names it."
        return EFFORTS[self.reasoning_effort or "medium"]

    @property
    def uses_reasoning(self) -> bool:
        return self.reasoning_effort != "none" and self.reasoning_tokens != 0

    @property
    def requested_logprobs(self) -> int | None:
        "The number of alternatives for each token; None if no log probabilities are requested."
        is_requested = self.top_logprobs is not None if self.logprobs is None else self.logprobs
        return (self.top_logprobs or 0) if is_requested else None

    @property
    def sampling(self) -> Sampling:
        return Sampling(**{name: getattr(self, name) for name in Sampling.__dataclass_fields__})
