"What the project makes of Ollama's answers: one small value each, read from the JSON in `of`."

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

from ...completion import Logprob
from ...errors import StreamCut
from .wire import Embeddings, GenerateLine, PullLine, Show, Tag

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ModelInfo:
    "A model on the server's disk."

    name: str
    size: int

    @classmethod
    def of(cls, tag: Tag) -> ModelInfo:
        return cls(tag["name"], tag.get("size", 0))


@dataclass(frozen=True, slots=True)
class RunningModel:
    "A model in memory. `expires_at` is a time as Ollama writes it."

    name: str
    size: int
    size_vram: int
    context_length: int | None = None
    expires_at: str | None = None

    @classmethod
    def of(cls, tag: Tag) -> RunningModel:
        sizes = tag.get("size", 0), tag.get("size_vram", 0)
        return cls(tag["name"], *sizes, tag.get("context_length"), tag.get("expires_at"))


@dataclass(frozen=True, slots=True)
class ModelDetails:
    "What a model is. `families` are all that it names."

    family: str
    families: tuple[str, ...] = ()

    @classmethod
    def of(cls, data: Show) -> ModelDetails:
        details, facts = data["details"], data.get("model_info") or {}
        family = details.get("family") or facts.get("general.architecture", "")
        return cls(family, tuple(details.get("families") or ()))


@dataclass(frozen=True, slots=True)
class PullStatus:
    "How a download goes: `completed` of `total` bytes of a layer."

    status: str
    total: int | None = None
    completed: int | None = None

    @classmethod
    def of(cls, data: PullLine) -> PullStatus:
        return cls(data["status"], data.get("total"), data.get("completed"))


@dataclass(frozen=True, slots=True)
class EmbeddingResult:
    "One vector a text, in order."

    vectors: list[list[float]]
    prompt_tokens: int | None = None

    @classmethod
    def of(cls, data: Embeddings) -> EmbeddingResult:
        return cls(data["embeddings"], data.get("prompt_eval_count"))


@dataclass(frozen=True, slots=True)
class GenerateChunk:
    "A line of a completion. What the server leaves out, because it is zero or not known, is None or empty."

    text: str = ""
    logprobs: tuple[Logprob, ...] = ()
    done: bool = False
    done_reason: str | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    load_ns: int | None = None
    prompt_ns: int | None = None
    completion_ns: int | None = None

    @classmethod
    def of(cls, data: GenerateLine) -> GenerateChunk:
        "Raises StreamCut for a line of another form. Only the last one says more than text."
        try:
            text = _typed(data, "response", str) or ""
            logprobs = tuple(map(_logprob, _typed(data, "logprobs", list) or ()))
            if not _typed(data, "done", bool):
                return cls(text, logprobs)
            return cls(
                text,
                logprobs,
                done=True,
                done_reason=_typed(data, "done_reason", str),
                prompt_tokens=_typed(data, "prompt_eval_count", int),
                completion_tokens=_typed(data, "eval_count", int),
                load_ns=_typed(data, "load_duration", int),
                prompt_ns=_typed(data, "prompt_eval_duration", int),
                completion_ns=_typed(data, "eval_duration", int),
            )
        except (TypeError, KeyError) as error:
            raise StreamCut(
                f"Ollama's answer has a line of another form: {json.dumps(data)[:80]}.",
                remedy="Ask again; if it stays so, check that OLLAMA_HOST is where an Ollama runs.",
            ) from error


def _typed(data: Mapping[str, object], name: str, kind: type[T]) -> T | None:
    value = data.get(name)
    if value is not None and type(value) is not kind:  # a bool is an int to isinstance()
        raise TypeError(f"{name} is no {kind.__name__}")
    return value


def _logprob(data: object, *, rival: bool = False) -> Logprob:
    "Rivals have no rivals of their own."
    if not isinstance(data, dict):
        raise TypeError("no token")
    spelled = _typed(data, "bytes", list)
    if any(type(byte) is not int for byte in spelled or ()):
        raise TypeError("no bytes")
    rivals = () if rival else _typed(data, "top_logprobs", list) or ()
    token, logprob = data["token"], data["logprob"]
    if not isinstance(token, str) or type(logprob) not in (int, float):
        raise TypeError("no token")
    return Logprob(
        token,
        logprob,
        None if spelled is None else tuple(spelled),
        tuple(_logprob(one, rival=True) for one in rivals),
    )
