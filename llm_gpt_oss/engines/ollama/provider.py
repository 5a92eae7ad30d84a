"Ollama among the engines. What it needs is imported when it is opened."

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager

from ...catalog.binding import BoundModel
from ...catalog.ollama_key import ollama_key
from ...completion import AsyncEngine, Engine
from ...errors import GptOssError
from ...settings import Settings
from ..hookspecs import ModelStatus


class OllamaProvider:
    name = "ollama"

    def open(self, model: BoundModel, key: str | None) -> AbstractContextManager[Engine]:
        from .engine import OllamaEngine

        return OllamaEngine(model.settings, key)

    def aopen(self, model: BoundModel, key: str | None) -> AbstractAsyncContextManager[AsyncEngine]:
        from .engine import AsyncOllamaEngine

        return AsyncOllamaEngine(model.settings, key)

    def check(self, model: BoundModel) -> None:
        pass

    def summary(self, settings: Settings, models: Sequence[BoundModel]) -> str:
        from .client import Client, version

        try:
            server = settings.server.with_key(ollama_key())
            with Client(server, silence=settings.read_timeout) as client:
                return f"{client.send(version())} at {server.url}"
        except GptOssError as problem:
            return problem.message

    def model_status(self, model: BoundModel, key: str | None) -> ModelStatus:
        from .client import Client
        from .model_status import model_status

        server = model.settings.server.with_key(key)
        with Client(server, silence=model.settings.read_timeout) as client:
            return model_status(client, model.tag, server.url)
