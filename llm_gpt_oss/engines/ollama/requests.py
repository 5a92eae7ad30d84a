"Ollama's endpoints, each a value: what to ask, and how to read the answer. Nothing is sent from here."

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

from ...completion import Completion, Json, Sampling
from ...errors import BadRequest
from ..grammar_subset import grammar_subset
from .answers import EmbeddingResult, GenerateChunk, ModelDetails, ModelInfo, PullStatus, RunningModel
from .wire import Embeddings, GenerateBody, PullLine, Show

T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True)
class ApiRequest(Generic[T_co]):
    "An HTTP request. `read` takes one JSON object of the answer, `model` is the tag that errors should name."

    method: str
    path: str
    read: Callable[[Json], T_co]
    body: Json | None = None
    model: str | None = None


def version() -> ApiRequest[str]:
    return ApiRequest("GET", "/api/version", lambda data: str(data["version"]))


def tags() -> ApiRequest[list[ModelInfo]]:
    return ApiRequest("GET", "/api/tags", lambda data: [ModelInfo.of(tag) for tag in data["models"] or ()])


def ps() -> ApiRequest[list[RunningModel]]:
    return ApiRequest("GET", "/api/ps", lambda data: [RunningModel.of(tag) for tag in data["models"] or ()])


def show(tag: str) -> ApiRequest[ModelDetails]:
    return ApiRequest(
        "POST", "/api/show", lambda data: ModelDetails.of(cast(Show, data)), {"model": tag}, tag
    )


def pull(tag: str, *, insecure: bool = False) -> ApiRequest[PullStatus]:
    "A stream. `insecure` allows a registry without TLS."
    body = {"model": tag, "stream": True, **({"insecure": True} if insecure else {})}
    return ApiRequest("POST", "/api/pull", lambda data: PullStatus.of(cast(PullLine, data)), body, tag)


def load(
    tag: str, *, keep_alive: str | int | float | None = None, context_length: int | None = None
) -> ApiRequest[str]:
    "Into memory, as `generate` wants it there. Answers `load`."
    # With another `shift` the first completion would load the model anew.
    body: GenerateBody = {"model": tag, "stream": False, "shift": False}
    if context_length is not None:
        body["options"] = {"num_ctx": context_length}
    if keep_alive is not None:
        body["keep_alive"] = keep_alive
    return _done(body)


def unload(tag: str) -> ApiRequest[str]:
    "Out of memory, at once. Answers `unload`."
    return _done({"model": tag, "stream": False, "keep_alive": 0})


def _done(body: GenerateBody) -> ApiRequest[str]:
    return ApiRequest(
        "POST", "/api/generate", lambda data: str(data["done_reason"]), cast(Json, body), body["model"]
    )


def embed(tag: str, texts: Sequence[str], *, dimensions: int | None = None) -> ApiRequest[EmbeddingResult]:
    body: Json = {"model": tag, "input": list(texts)}
    if dimensions is not None:
        body["dimensions"] = dimensions
    return ApiRequest(
        "POST", "/api/embed", lambda data: EmbeddingResult.of(cast(Embeddings, data)), body, tag
    )


def generate(completion: Completion) -> ApiRequest[GenerateChunk]:
    "A stream: the prompt goes raw, and too long a prompt is an error, never cut in silence."
    body: GenerateBody = {
        "model": completion.model,
        "prompt": completion.prompt,
        "raw": True,
        "stream": True,
        "think": False,
        "truncate": False,
        "shift": False,
    }
    if options := _options(completion):
        body["options"] = options
    if completion.format is not None:
        wanted = completion.format
        body["format"] = wanted if wanted == "json" else grammar_subset(wanted)
    if completion.top_logprobs is not None:
        body |= {"logprobs": True, "top_logprobs": completion.top_logprobs}
    if completion.keep_alive is not None:
        body["keep_alive"] = completion.keep_alive
    read = cast(Callable[[Json], GenerateChunk], GenerateChunk.of)
    return ApiRequest("POST", "/api/generate", read, cast(Json, body), completion.model)


def _options(completion: Completion) -> dict[str, Any]:
    "Only what was given: all the rest is the model file's."
    if completion.max_tokens is not None and completion.max_tokens < 1:
        # Ollama would take it for no limit at all.
        message = f"An answer of {completion.max_tokens} tokens cannot be asked for."
        raise BadRequest(message, param="max_tokens", remedy="Type `-o max_tokens` with 1 or more.")
    options = {
        **{name: getattr(completion.sampling, name) for name in Sampling.__dataclass_fields__},
        "num_predict": completion.max_tokens,
        "num_ctx": completion.context_length,
        "stop": list(completion.stop) or None,
    }
    return {name: value for name, value in options.items() if value is not None}
