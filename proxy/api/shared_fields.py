"""Fields that the requests of several endpoints have in common."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from llm.parts import Message, TextPart
from pydantic import Field

from llm_gpt_oss.options import KeepAlive

from ..http.body_model import Body, Decision, LenientBody
from ..http.errors import ApiError

# The highest number that engines can store. A limit of more tokens is as good as no limit.
INT32 = 2**31 - 1

Probability = Annotated[float, Field(ge=0, le=1)]
Penalty = Annotated[float, Field(ge=-2, le=2)]
TokenCount = Annotated[int, Field(ge=1)]
Metadata = Annotated[
    dict[Annotated[str, Field(max_length=64)], Annotated[str, Field(max_length=512)]], Field(max_length=16)
]
Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]
Verbosity = Literal["low", "medium", "high"]
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


class Sampling(Body):
    frequency_penalty: Penalty | None = None
    keep_alive: KeepAlive | None = None
    min_p: Probability | None = None
    presence_penalty: Penalty | None = None
    repetition_penalty: Annotated[float, Field(gt=0, le=10)] | None = None
    seed: int | None = None
    stop: str | Annotated[list[str], Field(max_length=4)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_k: Annotated[int, Field(ge=-1)] | None = None
    top_p: Probability | None = None

    def sampling_options(self) -> Iterator[tuple[str, Any]]:
        "The plugin's options by name. None means that the request does not set one."
        for name in ("frequency_penalty", "presence_penalty", "temperature", "top_p", "min_p", "keep_alive"):
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


def refuse_unsupported(
    body: Mapping[str, Any],
    fields: Mapping[str, tuple[Decision, str]],
    neutral_values: Mapping[str, tuple[Any, ...]] | None = None,
) -> None:
    """Raises ApiError for a field that is marked "refused" in `fields`.

    Null is accepted, and so are the values that `neutral_values` has for a field: they have no effect.
    """
    for name, (decision, reason) in fields.items():
        value = body.get(name)
        if decision == "refused" and value is not None and value not in (neutral_values or {}).get(name, ()):
            raise unsupported_parameter(name, reason)


def unsupported_parameter(name: str, reason: str) -> ApiError:
    message = f"'{name}' is not supported here: {reason}."
    return ApiError(400, message, code="unsupported_parameter", param=name)
