"""What the requests of several endpoints have in common."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from llm.parts import Message, TextPart
from pydantic import Field

from llm_gpt_oss.options import KeepAlive

from ..http.body_model import Body, Decision
from ..http.errors import ApiError

# The highest number that engines can hold; more tokens than that is as good as no limit.
INT32 = 2**31 - 1

Probability = Annotated[float, Field(ge=0, le=1)]
Penalty = Annotated[float, Field(ge=-2, le=2)]
TokenCount = Annotated[int, Field(ge=1)]
Metadata = Annotated[
    dict[Annotated[str, Field(max_length=64)], Annotated[str, Field(max_length=512)]], Field(max_length=16)
]
Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]
Verbosity = Literal["low", "medium", "high"]
VERBOSITY = {"low": "Answer briefly.", "high": "Answer at length and in detail."}


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
        "The plugin's options; None where nothing is asked for."
        for name in ("frequency_penalty", "presence_penalty", "temperature", "top_p", "min_p", "keep_alive"):
            yield name, getattr(self, name)
        yield "top_k", clamp(self.top_k)
        yield "repeat_penalty", self.repetition_penalty
        yield "stop", self._stop() or None
        yield "seed", None if self.seed is None else self.seed % 2**31

    def _stop(self) -> list[str]:
        "The plugin's option would read a lone string as JSON if it can; an empty one would stop at once."
        given = [self.stop] if isinstance(self.stop, str) else self.stop or []
        return [text for text in given if text]


def clamp(count: int | None) -> int | None:
    "-1 is vLLM's word for all of `top_k`, as 0 is here."
    return None if count is None else min(max(count, 0), INT32)


def verbosity_instructions(verbosity: Verbosity | None) -> Iterator[Message]:
    "The instruction that it comes to."
    if verbosity in VERBOSITY:
        yield Message("system", [TextPart(VERBOSITY[verbosity])])


def refuse_unsupported(
    sent: Mapping[str, Any],
    fields: Mapping[str, tuple[Decision, str]],
    idle: Mapping[str, tuple[Any, ...]] | None = None,
) -> None:
    """Raises ApiError for a field that asks for what cannot be had. Null asks for nothing, and neither does
    what `idle` has for a field."""
    for name, (decision, why) in fields.items():
        value = sent.get(name)
        if decision == "refused" and value is not None and value not in (idle or {}).get(name, ()):
            message = f"'{name}' is not supported here: {why}."
            raise ApiError(400, message, code="unsupported_parameter", param=name)
