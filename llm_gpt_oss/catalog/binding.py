"Which engine a model runs on, and what that engine is told of it."

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import llm

from ..settings import Settings
from .models_file import BUILT_IN, UNBOUND, EngineBinding

DEFAULT_ENGINE = "ollama"


@dataclass(frozen=True, slots=True)
class BoundModel:
    "A model, as its engine is told of it: nothing is looked up before somebody asks."

    tag: str
    settings: Settings
    binding: EngineBinding = UNBOUND

    @property
    def engine(self) -> str:
        """The engine's name: the one that the model is bound to, else the one that is wanted for all.

        What is wanted for all also beats the binding of a built-in tag, which Ollama may have too. Any other
        name may be known to its engine alone.
        """
        bound = self.binding.engine
        if bound and (self.tag not in BUILT_IN or self.settings.engine is None):
            return bound
        return self.settings.engine or DEFAULT_ENGINE

    @property
    def engine_options(self) -> Mapping[str, Any]:
        "What the engine has to know: none of what another one was told."
        return self.binding.engine_options if self.binding.engine == self.engine else UNBOUND.engine_options

    def api_key(self, given: str | None = None) -> str | None:
        """The key to send. `given` is typed or stored; Ollama's own goes to Ollama alone, the others name
        theirs (`llm keys set NAME`)."""
        if self.engine == DEFAULT_ENGINE:
            return ollama_key(given)
        stored: str | None = llm.get_key(input=given, alias=self.engine_options.get("key"))
        return stored


def ollama_key(explicit_key: str | None = None) -> str | None:
    "The user's API key for Ollama: `explicit_key`, else the stored key, else OLLAMA_API_KEY, else None."
    key: str | None = llm.get_key(input=explicit_key, alias="ollama", env="OLLAMA_API_KEY")
    return key
