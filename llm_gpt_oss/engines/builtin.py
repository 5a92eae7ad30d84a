"The engines that come with this plugin."

from __future__ import annotations

from collections.abc import Callable

from .completions.provider import CompletionsKind
from .embedded.provider import EmbeddedKind
from .hookspecs import Kind, hookimpl
from .llama_server.provider import LlamaServerKind
from .ollama.provider import OllamaKind
from .transformers.provider import TransformersKind

KINDS: tuple[Kind, ...] = (
    OllamaKind(),
    EmbeddedKind(),
    LlamaServerKind(),
    CompletionsKind(),
    TransformersKind(),
)


@hookimpl
def register_engines(register: Callable[[Kind], None]) -> None:
    for kind in KINDS:
        register(kind)
