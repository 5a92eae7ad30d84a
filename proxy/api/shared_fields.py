"""Fields that the requests of several endpoints have in common."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from llm.parts import Message, TextPart
from pydantic import BeforeValidator, Field

from llm_gpt_oss.options import KeepAlive

from ..http.body_model import Body, LenientBody

# The highest number that engines can store. A limit of more tokens is as good as no limit.
INT32 = 2**31 - 1

# Stop strings are searched for in each piece of an answer.
MAX_STOP_STRINGS = 256


def _whole_number(value: Any) -> Any:
    "Some languages have only floats: 10.0 is 10."
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _token_limit(value: Any) -> Any:
    "Servers of local models take 0 and -1 for no limit."
    return None if not isinstance(value, bool) and value in (0, -1) else _whole_number(value)


def _random_seed(value: Any) -> Any:
    "Servers of local models take -1 for a random seed."
    return None if value == -1 else _whole_number(value)


def _empty_as_null(value: Any) -> Any:
    "Some forms send an empty text where nothing is selected."
    return None if value == "" else value


Whole = Annotated[int, BeforeValidator(_whole_number)]
EMPTY_AS_NULL = BeforeValidator(_empty_as_null)
Probability = Annotated[float, Field(ge=0, le=1)]
Penalty = Annotated[float, Field(ge=-2, le=2)]
TokenLimit = Annotated[Annotated[int, Field(ge=1)] | None, BeforeValidator(_token_limit)]
TopLogprobs = Annotated[Whole, Field(ge=0, le=20)]
Metadata = Annotated[
    dict[Annotated[str, Field(max_length=64)], Annotated[str, Field(max_length=512)]], Field(max_length=16)
]
Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]
OptionalEffort = Annotated[Effort | None, EMPTY_AS_NULL]
Verbosity = Literal["low", "medium", "high"]
OptionalVerbosity = Annotated[Verbosity | None, EMPTY_AS_NULL]
VERBOSITY_INSTRUCTIONS = {"low": "Answer briefly.", "high": "Answer at length and in detail."}

# Types of fields without effect.
CacheMode = Literal["implicit", "explicit"]
CacheRetention = Literal["in_memory", "24h"]
SafetyIdentifier = Annotated[str, Field(max_length=128)]


class PromptCacheOptions(LenientBody):
    mode: CacheMode | None = None
    ttl: Literal["30m"] | None = None


class StreamOptions(Body):
    include_usage: bool | None = None
    include_obfuscation: bool | None = None


# The options of the plugin that have the same name in requests.
SAME_NAMES = (
    *("frequency_penalty", "presence_penalty", "temperature", "top_p", "min_p"),
    *("keep_alive", "num_ctx"),
)


class Sampling(Body):
    frequency_penalty: Penalty | None = None
    keep_alive: KeepAlive | None = None
    min_p: Probability | None = None
    presence_penalty: Penalty | None = None
    repetition_penalty: Annotated[float, Field(gt=0, le=10)] | None = None
    # The limits of the plugin's own option.
    num_ctx: Annotated[Whole, Field(ge=256, le=131072)] | None = None
    seed: Annotated[int | None, BeforeValidator(_random_seed)] = None
    stop: str | Annotated[list[str], Field(max_length=MAX_STOP_STRINGS)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_k: Annotated[Whole, Field(ge=-1)] | None = None
    top_p: Probability | None = None

    def sampling_options(self) -> Iterator[tuple[str, Any]]:
        "The plugin's options by name. None means that the request does not set one."
        for name in SAME_NAMES:
            yield name, getattr(self, name)
        yield "top_k", clamp(self.top_k)
        yield "repeat_penalty", self.repetition_penalty
        yield "stop", self._stop_strings() or None
        yield "seed", self.seed_option(0).get("seed")

    def seed_option(self, choice: int) -> dict[str, int]:
        "The seed of a choice of the answer. With the same seed all choices would be the same."
        return {} if self.seed is None else {"seed": (self.seed + choice) % 2**31}

    def _stop_strings(self) -> list[str]:
        """Always a list, because the plugin parses a lone string as JSON. An empty string would end any
        answer.
        """
        stop_strings = [self.stop] if isinstance(self.stop, str) else self.stop or []
        return [text for text in stop_strings if text]


def clamp(count: int | None) -> int | None:
    "Limits a count to what engines can store. vLLM's -1 for an unlimited `top_k` becomes 0."
    return None if count is None else min(max(count, 0), INT32)


def verbosity_instructions(verbosity: Verbosity | None) -> Iterator[Message]:
    if verbosity in VERBOSITY_INSTRUCTIONS:
        yield Message("system", [TextPart(VERBOSITY_INSTRUCTIONS[verbosity])])
