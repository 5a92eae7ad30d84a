"What Ollama accepts and sends: the fields that are used here, none other."

from __future__ import annotations

from typing import Any, Literal, TypedDict


class TokenLogprob(TypedDict, total=False):
    "`bytes` is left out for a token that is not whole characters."

    token: str
    logprob: float
    bytes: list[int]
    top_logprobs: list[TokenLogprob]


class GenerateBody(TypedDict, total=False):
    "POST /api/generate."

    model: str
    prompt: str
    raw: bool
    stream: bool
    think: bool
    truncate: bool
    shift: bool
    format: dict[str, Any] | Literal["json"]
    logprobs: bool
    top_logprobs: int
    keep_alive: str | int | float
    options: dict[str, Any]


class GenerateLine(TypedDict, total=False):
    "A line of its answer. Times are nanoseconds; what is zero is left out."

    response: str
    logprobs: list[TokenLogprob]
    done: bool
    done_reason: str
    load_duration: int
    prompt_eval_count: int
    prompt_eval_duration: int
    eval_count: int
    eval_duration: int


class Details(TypedDict, total=False):
    "`families` may be null."

    family: str
    families: list[str] | None


class Tag(TypedDict, total=False):
    "A model of GET /api/tags and /api/ps; the last three in the latter alone."

    name: str
    size: int
    size_vram: int
    context_length: int
    expires_at: str


class Show(TypedDict, total=False):
    "POST /api/show."

    details: Details
    model_info: dict[str, Any]


class PullLine(TypedDict, total=False):
    "A line of POST /api/pull."

    status: str
    total: int
    completed: int


class Embeddings(TypedDict, total=False):
    "POST /api/embed."

    embeddings: list[list[float]]
    prompt_eval_count: int
