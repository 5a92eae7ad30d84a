"The provider of the engine `ollama`, an Ollama server."

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager

from ...catalog.binding import BoundModel, ollama_key
from ...completion import AsyncEngine, Engine
from ...errors import GptOssError
from ...settings import Settings
from ..hookspecs import EngineOption, ModelStatus


class OllamaProvider:
    name = "ollama"
    options: Sequence[EngineOption] = ()

    def open(self, model: BoundModel, key: str | None) -> AbstractContextManager[Engine]:
        from ..http.engine import HttpEngine
        from .server import OllamaServer

        return HttpEngine(OllamaServer(model.settings, key))

    def aopen(self, model: BoundModel, key: str | None) -> AbstractAsyncContextManager[AsyncEngine]:
        from ..http.engine import AsyncHttpEngine
        from .server import OllamaServer

        return AsyncHttpEngine(OllamaServer(model.settings, key))

    def check(self, model: BoundModel) -> None:
        "Accept every model: only the server knows what it has."

    def summary(self, settings: Settings, models: Sequence[BoundModel]) -> str:
        from ..http.client import Client
        from .endpoint import ollama_endpoint
        from .requests import version

        try:
            server = settings.server.with_key(ollama_key())
            with Client(ollama_endpoint(server, settings.read_timeout)) as client:
                return f"{client.send(version())} at {server.url}"
        except GptOssError as problem:
            return problem.message

    def model_status(self, model: BoundModel, key: str | None) -> ModelStatus:
        from ..http.client import Client
        from .endpoint import ollama_endpoint
        from .model_status import model_status

        server = model.settings.server.with_key(key)
        with Client(ollama_endpoint(server, model.settings.read_timeout)) as client:
            return model_status(client, model.tag, model.settings)
