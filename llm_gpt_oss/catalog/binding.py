"Which engine a model runs on, and with which options and key."

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import llm

from ..settings import Settings
from .models_file import BUILT_IN, UNBOUND, EngineBinding

DEFAULT_ENGINE = "ollama"


class BoundModel(NamedTuple):
    "What an engine needs to know about a model. Settings are parsed, and keys read, only on demand."

    tag: str
    settings: Settings
    binding: EngineBinding = UNBOUND

    @property
    def engine(self) -> str:
        """The name of the engine: the one in the model's binding, else the one in the settings, else Ollama.

        For built-in tags, the settings win over the binding, since Ollama may have these models too. Only its
        own engine knows any other bound model.
        """
        bound_engine = self.binding.engine
        if bound_engine and (self.tag not in BUILT_IN or self.settings.engine is None):
            return bound_engine
        return self.settings.engine or DEFAULT_ENGINE

    @property
    def engine_options(self) -> Mapping[str, Any]:
        "The options of the model's engine: empty if the model runs on another engine than it is bound to."
        return self.binding.engine_options if self.binding.engine == self.engine else UNBOUND.engine_options

    def api_key(self, explicit_key: str | None = None) -> str | None:
        """The API key to send to the engine's server, None if there is none.

        `explicit_key` is the value of `--key`: a key, or the name of a stored one. Without it, Ollama gets
        its own key, and other engines get the stored key that the model's option "key" names.
        """
        if self.engine == DEFAULT_ENGINE:
            return ollama_key(explicit_key)
        key: str | None = llm.get_key(input=explicit_key, alias=self.engine_options.get("key"))
        return key


def ollama_key(explicit_key: str | None = None) -> str | None:
    "The user's API key for Ollama: `explicit_key`, else the stored key, else OLLAMA_API_KEY, else None."
    key: str | None = llm.get_key(input=explicit_key, alias="ollama", env="OLLAMA_API_KEY")
    return key
