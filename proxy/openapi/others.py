"The other answers: embeddings, models, the server's health, Ollama's API, and errors."

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from ..inference.active_runs import State
from .answer import Answer


class ErrorDetails(Answer):
    message: str
    type: str
    param: str | None
    code: str | None


class Error(Answer):
    error: ErrorDetails


class OllamaError(Answer):
    "The numbers are those of a prompt that is longer than the context."

    error: str
    n_prompt_tokens: int | None = None
    n_ctx: int | None = None


class OllamaBody(BaseModel):
    "What Ollama reads. https://docs.ollama.com/api describes it."

    model_config = ConfigDict(extra="allow")


class OllamaAnswer(Answer):
    "What Ollama answers. https://docs.ollama.com/api describes it."

    model_config = ConfigDict(extra="allow")


class Embedding(Answer):
    "A vector as numbers, or base64 of little-endian float32 numbers."

    object: Literal["embedding"]
    index: int
    embedding: list[float] | str


class EmbeddingUsage(Answer):
    prompt_tokens: int
    total_tokens: int


class EmbeddingList(Answer):
    object: Literal["list"]
    data: list[Embedding]
    model: str
    usage: EmbeddingUsage


class ModelNumbers(Answer):
    n_ctx: int = 0
    n_ctx_train: int = 0
    n_params: int = 0
    n_vocab: int = 0
    n_embd: int = 0
    size: int = 0


class Model(Answer):
    id: str
    object: Literal["model"]
    created: int
    owned_by: str
    context_length: int = 0
    max_model_len: int = 0
    meta: ModelNumbers | None = None


class ModelList(Answer):
    object: Literal["list"]
    data: list[Model]


class Run(Answer):
    """A model call. `started` is in seconds since 1970, `queue_ms` and `first_token_ms` count from there.

    It is `reading` its prompt until the first token. `text` is the end of what the model wrote last.
    """

    id: str
    actor: str | None
    app: str
    endpoint: str
    model: str
    effort: str | None
    logged: bool
    started: float
    state: State
    tool: str | None
    tokens: int
    tokens_per_second: float
    queue_ms: int | None
    first_token_ms: int | None
    seconds: float | None
    text: str
    error: str | None


class RunList(Answer):
    object: Literal["list"]
    data: list[Run]


class StoppedRun(Answer):
    id: str
    object: Literal["run"]
    stopped: bool


class QueueLength(Answer):
    running: int
    waiting: int


class Health(Answer):
    model_config = ConfigDict(extra="allow")

    status: Literal["ok", "degraded"]
    engine: Literal["unreachable", "no model", "loading", "ready"]
    version: str
