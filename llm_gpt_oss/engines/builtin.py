"The engines that come with this plugin."

from __future__ import annotations

from collections.abc import Callable

from .completions.provider import CompletionsProvider
from .embedded.provider import EmbeddedProvider
from .hookspecs import EngineProvider, hookimpl
from .llama_server.provider import LlamaServerProvider
from .ollama.provider import OllamaProvider
from .proxy.provider import ProxyProvider
from .transformers.provider import TransformersProvider

PROVIDERS: tuple[EngineProvider, ...] = (
    OllamaProvider(),
    EmbeddedProvider(),
    LlamaServerProvider(),
    CompletionsProvider(),
    ProxyProvider(),
    TransformersProvider(),
)


@hookimpl
def register_engines(register: Callable[[EngineProvider], None]) -> None:
    for provider in PROVIDERS:
        register(provider)
