"The JSON that Ollama accepts and sends, as far as it is used here."

from __future__ import annotations

from typing import Any, Literal, TypedDict


class TokenLogprob(TypedDict, total=False):
    "`bytes` is missing for a token that is a part of a character."

    token: str
    logprob: float
    bytes: list[int]
    top_logprobs: list[TokenLogprob]


class GenerateBody(TypedDict, total=False):
    "The body of POST /api/generate."

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
    "A line of the answer to POST /api/generate. Times are nanoseconds. Ollama omits values that are zero."

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
    """A model in the answer to GET /api/tags or /api/ps. Only the latter has the last three fields.

    Names with the same `digest` are the same model.
    """

    name: str
    digest: str
    size: int
    size_vram: int
    context_length: int
    expires_at: str


class Show(TypedDict, total=False):
    """The answer to POST /api/show.

    `parameters` has a line for each option of the model file, such as `num_ctx  4096`. `model_info` is the
    metadata of the GGUF file.
    """

    details: Details
    parameters: str
    model_info: dict[str, Any] | None


class PullLine(TypedDict, total=False):
    "A line of the answer to POST /api/pull."

    status: str
    total: int
    completed: int


class Embeddings(TypedDict, total=False):
    "The answer to POST /api/embed."

    embeddings: list[list[float]]
    prompt_eval_count: int
