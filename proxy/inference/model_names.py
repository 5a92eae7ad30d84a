"""The names of models that clients may use, and which model each name stands for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import llm
from llm.models import ModelWithAliases
from pydantic import ValidationError

from llm_gpt_oss.catalog.models_file import ModelEntry

from ..generation import GenerationRequest
from ..http.errors import ApiError
from ..http.field_table import Names, names_of
from ..http.validation_errors import validation_api_error
from ..http.wildcards import matches

EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
# What clients write before and after a name: OpenAI's namespace on Hugging Face, and Ollama's default tag.
NAMESPACE, DEFAULT_TAG = "openai/", ":latest"
EMBEDDING_MODELS = "Use an embedding model of Ollama, such as nomic-embed-text."

# llm's models with and without a key have no public type in common.
AnyModel = llm.AsyncModel | llm.AsyncKeyModel


@dataclass(frozen=True, slots=True)
class ResolvedModel:
    """The model that a name stands for: its tag, and the reasoning effort if the name ends with one.

    `other` is the model itself if it is another plugin's. `tag` is its id in llm then.
    """

    tag: str
    effort: str | None = None
    other: AnyModel | None = None


class ModelNames:
    """All names of models: tags and aliases of gpt-oss (`entries`), llm's other models as far as they have an
    async variant (`others`), and aliases that only this server knows, such as `gpt-4o` for `gpt-oss:20b`. In
    an alias `*` stands for any characters; it counts if nothing else has the name.

    Clients also write names differently: in another case, with `openai/` in front, or with Ollama's default
    tag `:latest`. A name that exists exactly as written takes precedence. A client that cannot send a
    reasoning effort can append one to any name, as in `gpt-oss:20b-high`.
    """

    def __init__(
        self, entries: list[ModelEntry], aliases: Mapping[str, str], others: Iterable[ModelWithAliases] = ()
    ) -> None:
        self._patterns: dict[str, ResolvedModel] = {}
        self._models = {
            name: ResolvedModel(entry.tag) for entry in entries for name in (entry.tag, *entry.aliases)
        }
        for other in others:
            if other.async_model:
                model = ResolvedModel(other.model.model_id, other=other.async_model)
                for name in (other.model.model_id, *other.aliases):
                    self._models.setdefault(name, model)
        self._text_models = {model.tag for model in self._models.values()}
        self._by_canonical_name = self._canonical_names()
        resolved = {name: self._find(target) or ResolvedModel(target) for name, target in aliases.items()}
        self._models |= {name: model for name, model in resolved.items() if "*" not in name}
        self._by_canonical_name = self._canonical_names()
        self._patterns = {name: model for name, model in resolved.items() if "*" in name}

    def _canonical_names(self) -> dict[str, ResolvedModel]:
        "Index the models. Of names that differ only in their spelling, the first one counts."
        return {_canonical_name(name): model for name, model in reversed(self._models.items())}

    @property
    def tags(self) -> frozenset[str]:
        "The tags of all models that these names stand for."
        return frozenset(model.tag for model in (*self._models.values(), *self._patterns.values()))

    def __iter__(self) -> Iterator[str]:
        return iter(self._models)

    def resolve(self, name: str) -> ResolvedModel:
        "Return the model that a name stands for. Raises ApiError for an unknown name."
        if model := self._find(name):
            return model
        raise ApiError(
            404,
            f"The model '{name[:100]}' does not exist here. Available models: {', '.join(self._models)}. "
            f"Start the server with --alias '{name[:100]}=MODEL' to give one of them this name.",
            code="model_not_found",
            param="model",
        )

    def embedding_tag(self, name: str) -> str:
        """Return Ollama's tag of the embedding model that a name stands for: mostly the name itself.

        Raises ApiError for a model that writes text. An alias such as `*` for such a model does not count.
        """
        model = self._find_without_effort(name)
        if model and model.tag in self._text_models:
            raise no_embeddings(name)
        model = model or self._find_pattern(name)
        return name if model is None or model.tag in self._text_models else model.tag

    def _find(self, name: str) -> ResolvedModel | None:
        "Return the model that a name, with or without an effort, stands for."
        if model := self._find_without_effort(name):
            return model
        base, _, effort = name.removesuffix(DEFAULT_TAG).rpartition("-")
        if effort.lower() in EFFORTS and (model := self._find_without_effort(base)):
            return replace(model, effort=effort.lower())
        return self._find_pattern(name)

    def _find_pattern(self, name: str) -> ResolvedModel | None:
        return next((model for pattern, model in self._patterns.items() if matches(pattern, name)), None)

    def _find_without_effort(self, name: str) -> ResolvedModel | None:
        return self._models.get(name) or self._by_canonical_name.get(_canonical_name(name))


def no_embeddings(name: str) -> ApiError:
    "Return the error for a model that writes text."
    message = f"The model '{name[:100]}' cannot make embeddings. {EMBEDDING_MODELS}"
    return ApiError(400, message, code="model_not_supported", param="model")


def _canonical_name(name: str) -> str:
    return name.casefold().removeprefix(NAMESPACE).removesuffix(DEFAULT_TAG)


def adapt_to_model(
    generation: GenerationRequest, model: AnyModel, defaults: Mapping[str, Any]
) -> GenerationRequest:
    """Return the request with `defaults` added to its options, and without options that the model lacks.

    Raises ApiError for an invalid option, and for tools or a schema that the model does not support.
    """
    name = generation.model
    if generation.tools and not model.supports_tools:
        raise _unsupported(f"{name} does not support tools.", "tools")
    if generation.schema and not model.supports_schema:
        raise _unsupported(f"{name} does not support JSON schemas.", generation.field_of("schema"))
    known = model.Options.model_fields
    options = {name: value for name, value in {**defaults, **generation.options}.items() if name in known}
    try:
        model.Options(**options)
    except ValidationError as problem:
        sources: dict[Names, Names] = {(name,): names_of(generation.field_of(name)) for name in options}
        raise validation_api_error(problem.errors(include_url=False), options, sources) from None
    return replace(generation, options=options)


def _unsupported(message: str, param: str) -> ApiError:
    return ApiError(400, message, code="unsupported_parameter", param=param)
