"Requests to Ollama's endpoints, as values."

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from ...completion import Completion, Json
from ..grammar_subset import grammar_subset
from ..http.completion_fields import check_max_tokens, sampling_fields, without_none
from ..http.request import Request
from ..http.token_splitter import needs_tokens
from .answers import EmbeddingResult, ModelDetails, ModelInfo, PullStatus, RunningModel
from .wire import Embeddings, GenerateBody, PullLine, Show


def version() -> Request[str]:
    return Request("/api/version", lambda data: str(data["version"]))


def tags() -> Request[list[ModelInfo]]:
    return Request("/api/tags", lambda data: [ModelInfo.from_json(tag) for tag in data["models"] or ()])


def ps() -> Request[list[RunningModel]]:
    return Request("/api/ps", lambda data: [RunningModel.from_json(tag) for tag in data["models"] or ()])


def show(tag: str) -> Request[ModelDetails]:
    return Request("/api/show", lambda data: ModelDetails.from_json(cast(Show, data)), {"model": tag}, tag)


def pull(tag: str, *, insecure: bool = False) -> Request[PullStatus]:
    """Return a request that downloads a model and streams its progress.

    `insecure` allows a registry without TLS.
    """
    body = {"model": tag, "stream": True, **({"insecure": True} if insecure else {})}
    return Request("/api/pull", lambda data: PullStatus.from_json(cast(PullLine, data)), body, tag)


def load(
    tag: str, *, keep_alive: str | int | float | None = None, context_length: int | None = None
) -> Request[str]:
    "Load the model into memory, with the settings of `generate`. The answer is `load`."
    # With another `shift`, the first completion would load the model again.
    body: GenerateBody = {"model": tag, "stream": False, "shift": False}
    if context_length is not None:
        body["options"] = {"num_ctx": context_length}
    if keep_alive is not None:
        body["keep_alive"] = keep_alive
    return _done_reason(body)


def unload(tag: str) -> Request[str]:
    "Remove the model from memory at once. The answer is `unload`."
    return _done_reason({"model": tag, "stream": False, "keep_alive": 0})


def _done_reason(body: GenerateBody) -> Request[str]:
    return Request("/api/generate", lambda data: str(data["done_reason"]), cast(Json, body), body["model"])


def embed(tag: str, texts: Sequence[str], *, dimensions: int | None = None) -> Request[EmbeddingResult]:
    body: Json = {"model": tag, "input": list(texts)}
    if dimensions is not None:
        body["dimensions"] = dimensions
    return Request("/api/embed", lambda data: EmbeddingResult.from_json(cast(Embeddings, data)), body, tag)


def generate(completion: Completion) -> Request[Json]:
    """Return a request for the stream of a completion. Raises BadRequest for a limit below one token.

    The prompt is sent raw. A prompt that is too long is an error and is never truncated.
    """
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
        schema = completion.format
        body["format"] = schema if schema == "json" else grammar_subset(schema)
    if completion.top_logprobs is not None or needs_tokens(completion):
        body |= {"logprobs": True, "top_logprobs": completion.top_logprobs or 0}
    if completion.keep_alive is not None:
        body["keep_alive"] = completion.keep_alive
    return Request("/api/generate", lambda data: data, cast(Json, body), completion.model)


def _options(completion: Completion) -> Json:
    "Return only the options that were requested. The model file has the others."
    check_max_tokens(completion)  # Ollama would treat a value below 1 as no limit
    return without_none(
        {
            **sampling_fields(completion),
            "num_predict": completion.max_tokens,
            "num_ctx": completion.context_length,
            "stop": list(completion.stop) or None,
        }
    )
