"The answers of Ollama's endpoints, except for `/api/generate`, as small values."

from __future__ import annotations

import re
from dataclasses import dataclass

from ..gguf_header import GgufHeader
from ..http.counts import token_count
from .wire import Embeddings, PullLine, Show, Tag

# Vectors have numbers of 32 bits.
MAX_FLOAT = 3.4e38
UNKNOWN_HEADER = GgufHeader("")


@dataclass(frozen=True, slots=True)
class ModelInfo:
    "A model on the server's disk. `size` is in bytes. Names with the same `digest` are the same model."

    name: str
    size: int
    digest: str = ""

    @classmethod
    def from_json(cls, tag: Tag) -> ModelInfo:
        return cls(tag["name"], tag.get("size", 0), tag.get("digest", ""))


@dataclass(frozen=True, slots=True)
class RunningModel:
    """A model in the server's memory. Sizes are in bytes, `expires_at` is a time in Ollama's format.

    `name` is the one that it was loaded with. Other names with the same `digest` are the same model.
    """

    name: str
    size: int
    size_vram: int
    context_length: int | None = None
    expires_at: str | None = None
    digest: str = ""

    @classmethod
    def from_json(cls, tag: Tag) -> RunningModel:
        sizes = tag.get("size", 0), tag.get("size_vram", 0)
        digest = tag.get("digest", "")
        return cls(tag["name"], *sizes, tag.get("context_length"), tag.get("expires_at"), digest)


@dataclass(frozen=True, slots=True)
class ModelDetails:
    """The family of a model, all families that its file names, and the file's metadata.

    `context_length` is the context length that the model file sets, if it does.
    """

    family: str
    families: tuple[str, ...] = ()
    header: GgufHeader = UNKNOWN_HEADER
    context_length: int | None = None

    @classmethod
    def from_json(cls, data: Show) -> ModelDetails:
        details, model_info = data["details"], data.get("model_info") or {}
        family = details.get("family") or model_info.get("general.architecture", "")
        header = GgufHeader.from_metadata(model_info) if model_info else UNKNOWN_HEADER
        num_ctx = re.search(r"^num_ctx\s+(\d{1,9})$", data.get("parameters") or "", re.MULTILINE)
        context_length = int(num_ctx[1]) if num_ctx else None
        return cls(family, tuple(details.get("families") or ()), header, context_length)


@dataclass(frozen=True, slots=True)
class PullStatus:
    "The progress of a download: `completed` of `total` bytes of one layer."

    status: str
    total: int | None = None
    completed: int | None = None

    @classmethod
    def from_json(cls, data: PullLine) -> PullStatus:
        return cls(data["status"], data.get("total"), data.get("completed"))


@dataclass(frozen=True, slots=True)
class EmbeddingResult:
    "One vector for each text, in their order."

    vectors: list[list[float]]
    prompt_tokens: int | None = None

    @classmethod
    def from_json(cls, data: Embeddings) -> EmbeddingResult:
        if not all(abs(number) < MAX_FLOAT for vector in data["embeddings"] for number in vector):
            raise TypeError("a vector must have numbers of 32 bits")
        return cls(data["embeddings"], token_count(data.get("prompt_eval_count")))
