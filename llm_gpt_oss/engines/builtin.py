"The engines that come with this plugin."

from __future__ import annotations

from collections.abc import Callable

from ..hookspecs import Kind, hookimpl
from .completions.kind import CompletionsKind
from .embedded.kind import EmbeddedKind
from .llama_server.kind import LlamaServerKind
from .ollama.kind import OllamaKind
from .transformers.kind import TransformersKind

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
