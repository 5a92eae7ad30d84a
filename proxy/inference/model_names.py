"""Which names a client may use for a model, and what they mean."""

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
from ..http.validation_errors import validation_api_error

EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")

# llm's models with and without a key have no public type in common.
AnyModel = llm.AsyncModel | llm.AsyncKeyModel


@dataclass(frozen=True, slots=True)
class ResolvedModel:
    """The tag behind a name, and the reasoning effort that the name carries, if it does.

    `other` is a model that is not ours: the tag is then its id in llm.
    """

    tag: str
    effort: str | None = None
    other: AnyModel | None = None


class ModelNames:
    """The plugin's tags and aliases; what else llm has (`others`), where it has it for async code; and
    `aliases` of the proxy's own, such as `gpt-4o` for `gpt-oss:20b`.

    Any name may end in `-` and an effort, for clients that cannot send one.
    """

    def __init__(
        self, entries: list[ModelEntry], aliases: Mapping[str, str], others: Iterable[ModelWithAliases] = ()
    ) -> None:
        self._meant = {
            name: ResolvedModel(entry.tag) for entry in entries for name in (entry.tag, *entry.aliases)
        }
        for each in others:
            if each.async_model:
                meant = ResolvedModel(each.model.model_id, other=each.async_model)
                for name in (each.model.model_id, *each.aliases):
                    self._meant.setdefault(name, meant)
        self._meant |= {name: self._meant.get(tag, ResolvedModel(tag)) for name, tag in aliases.items()}

    def __iter__(self) -> Iterator[str]:
        return iter(self._meant)

    def resolve(self, name: str) -> ResolvedModel:
        "Raises ApiError for a name that nothing goes by."
        if name in self._meant:
            return self._meant[name]
        base, _, effort = name.rpartition("-")
        if effort in EFFORTS and base in self._meant:
            return replace(self._meant[base], effort=effort)
        raise ApiError(
            404,
            f"The model '{name[:100]}' does not exist here. There are: {', '.join(self._meant)}.",
            code="model_not_found",
            param="model",
        )


def adapt_to_model(ask: GenerationRequest, model: AnyModel, defaults: Mapping[str, Any]) -> GenerationRequest:
    """What this model can be asked: options that it does not know are left out, and `defaults` added.

    Raises ApiError for a value that it does not take, and for what it cannot do at all.
    """
    name = ask.model
    if ask.tools and not model.supports_tools:
        raise _cannot(f"{name} takes no tools.", "tools")
    if ask.schema and not model.supports_schema:
        raise _cannot(f"{name} cannot be bound to a schema.", ask.schema_field)
    options = {k: v for k, v in {**defaults, **ask.options}.items() if k in model.Options.model_fields}
    try:
        model.Options(**options)
    except ValidationError as problem:
        raise validation_api_error(problem.errors(include_url=False), options) from None
    return replace(ask, options=options)


def _cannot(message: str, param: str) -> ApiError:
    return ApiError(400, message, code="unsupported_parameter", param=param)
