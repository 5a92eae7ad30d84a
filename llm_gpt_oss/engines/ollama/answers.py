"What the project makes of Ollama's answers: one small value each, read from the JSON in `of`."

from __future__ import annotations

from dataclasses import dataclass

from .wire import Details, Embeddings, PullLine, Show, Tag


@dataclass(frozen=True, slots=True)
class ModelInfo:
    "A model on the server's disk. Only newer servers say how long its context can be."

    name: str
    digest: str
    size: int
    family: str
    context_length: int | None = None

    @classmethod
    def of(cls, tag: Tag) -> ModelInfo:
        details = tag.get("details", Details())
        family, length = details.get("family", ""), details.get("context_length")
        return cls(tag["name"], tag.get("digest", ""), tag.get("size", 0), family, length)


@dataclass(frozen=True, slots=True)
class Running:
    "A model in memory. `expires_at` is a time as Ollama writes it."

    name: str
    size: int
    size_vram: int
    context_length: int | None = None
    expires_at: str | None = None

    @classmethod
    def of(cls, tag: Tag) -> Running:
        sizes = tag.get("size", 0), tag.get("size_vram", 0)
        return cls(tag["name"], *sizes, tag.get("context_length"), tag.get("expires_at"))


@dataclass(frozen=True, slots=True)
class ModelDetails:
    """What a model is. `families` are all that it names, `context_length` is the most that it was made for.

    `parameters` is the text of its model file's parameters, one a line.
    """

    family: str
    families: tuple[str, ...] = ()
    context_length: int | None = None
    parameters: str = ""
    capabilities: tuple[str, ...] = ()
    parameter_size: str | None = None
    quantization: str | None = None

    @classmethod
    def of(cls, data: Show) -> ModelDetails:
        details, facts = data["details"], data.get("model_info") or {}
        architecture = facts.get("general.architecture", "")
        return cls(
            family=details.get("family") or architecture,
            families=tuple(details.get("families") or ()),
            context_length=facts.get(f"{architecture}.context_length"),
            parameters=data.get("parameters", ""),
            capabilities=tuple(data.get("capabilities") or ()),
            parameter_size=details.get("parameter_size"),
            quantization=details.get("quantization_level"),
        )


@dataclass(frozen=True, slots=True)
class PullStatus:
    "How a download goes: `completed` of `total` bytes of the layer `digest`."

    status: str
    digest: str | None = None
    total: int | None = None
    completed: int | None = None

    @classmethod
    def of(cls, data: PullLine) -> PullStatus:
        return cls(data["status"], data.get("digest"), data.get("total"), data.get("completed"))


@dataclass(frozen=True, slots=True)
class Embedded:
    "One vector a text, in order."

    vectors: list[list[float]]
    prompt_tokens: int | None = None

    @classmethod
    def of(cls, data: Embeddings) -> Embedded:
        return cls(data["embeddings"], data.get("prompt_eval_count"))
