"""What a person can ask of a prompt: the options of `-o`, `llm models options set`, templates and Python."""

from __future__ import annotations

import json
import re
from typing import Annotated, Any, Literal

import llm
from pydantic import BeforeValidator, ConfigDict, Field

from .completion import Sampling
from .harmony.conversation import Effort

ReasoningEffort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]

# What harmony has a word for. "none" is made by opening the prompt behind an empty analysis.
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
    "A plain string is one stop string; a JSON list, as `-o` can carry it, is several."
    if not isinstance(value, str):
        return value
    try:
        listed = json.loads(value)
    except ValueError:
        return [value]
    return listed if isinstance(listed, list) else [value]


def _keep_alive(value: Any) -> Any:
    "Ollama reads a number as seconds and wants a unit in a string, so a number in a string becomes a number."
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
        description="How hard to think before answering. minimal counts as low, xhigh and max as high; "
        "none answers at once. Default: medium",
        default=None,
    )
    reasoning_tokens: int | None = Field(
        description="The most tokens to think for; then the answer is begun", default=None, ge=0, le=_INT32
    )
    temperature: float | None = Field(
        description="How freely tokens are drawn; 0 takes the likeliest each time", default=None, ge=0, le=2
    )
    top_p: float | None = Field(
        description="Draw from the likeliest tokens that add up to this probability", default=None, ge=0, le=1
    )
    top_k: int | None = Field(
        description="Draw from this many of the likeliest tokens; 0 for all", default=None, ge=0, le=_INT32
    )
    min_p: float | None = Field(
        description="Draw tokens at least this likely, compared with the likeliest",
        default=None,
        ge=0,
        le=1,
    )
    seed: int | None = Field(
        description="The same seed gives the same draw; -1 for a new one",
        default=None,
        ge=-1,
        le=_INT32,
    )
    max_tokens: int | None = Field(
        description="The most tokens to generate, reasoning included", default=None, ge=1, le=_INT32
    )
    stop: StopStrings | None = Field(
        description="End the answer before this string (reasoning is not searched); several as a JSON list",
        default=None,
        min_length=1,
    )
    num_ctx: int | None = Field(
        description="Context length in tokens. A change makes Ollama load the model "
        "again. Default: Ollama's own",
        default=None,
        ge=256,
        le=131072,
    )
    keep_alive: KeepAlive | None = Field(
        description="How long Ollama keeps the model loaded afterwards: 10m, 1h, seconds, -1 for ever. "
        "Default: Ollama's own",
        default=None,
    )
    repeat_penalty: float | None = Field(
        description="Penalty for tokens that were used of late; 1 for none", default=None, gt=0, le=10
    )
    presence_penalty: float | None = Field(
        description="Penalty for tokens that occur in the text so far", default=None, ge=-2, le=2
    )
    frequency_penalty: float | None = Field(
        description="Penalty for tokens by how often they occur", default=None, ge=-2, le=2
    )
    logprobs: bool | None = Field(
        description="Keep the log probability of each token of the answer in the log", default=None
    )
    top_logprobs: int | None = Field(
        description="The same, with this many rivals of each token", default=None, ge=0, le=20
    )
    tool_choice: str | None = Field(
        description="auto, none, required, or the name of the tool to call; once it has answered, as auto",
        default=None,
        min_length=1,
    )
    parallel_tool_calls: bool | None = Field(
        description="Whether a turn may hold several tool calls; 0 keeps the first alone. Default: 1",
        default=None,
    )
    truncate: bool | None = Field(
        description="Drop whole turns, oldest first, where the prompt is longer than the context, "
        "instead of failing",
        default=None,
    )

    @property
    def effort(self) -> Effort:
        "The effort in harmony's words."
        return EFFORTS[self.reasoning_effort or "medium"]

    @property
    def uses_reasoning(self) -> bool:
        return self.reasoning_effort != "none" and self.reasoning_tokens != 0

    @property
    def requested_logprobs(self) -> int | None:
        "How many rivals' log probabilities are wanted for each token; None: no log probabilities at all."
        wanted = self.top_logprobs is not None if self.logprobs is None else self.logprobs
        return (self.top_logprobs or 0) if wanted else None

    @property
    def sampling(self) -> Sampling:
        return Sampling(**{name: getattr(self, name) for name in Sampling.__dataclass_fields__})
