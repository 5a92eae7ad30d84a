"Ollama among the engines. What it needs is imported when it is opened."

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager

from ...catalog.binding import Hosted
from ...catalog.ollama_key import ollama_key
from ...completion import AsyncEngine, Engine
from ...errors import GptOssError
from ...settings import Settings
from ..hookspecs import Condition


class OllamaKind:
    name = "ollama"

    def open(self, model: Hosted, key: str | None) -> AbstractContextManager[Engine]:
        from .engine import OllamaEngine

        return OllamaEngine(model.settings, key)

    def aopen(self, model: Hosted, key: str | None) -> AbstractAsyncContextManager[AsyncEngine]:
        from .engine import AsyncOllamaEngine

        return AsyncOllamaEngine(model.settings, key)

    def check(self, model: Hosted) -> None:
        pass

    def state(self, settings: Settings, models: Sequence[Hosted]) -> str:
        from .client import Client, version

        try:
            server = settings.server.with_key(ollama_key())
            with Client(server, silence=settings.silence) as client:
                return f"{client.send(version())} at {server.url}"
        except GptOssError as problem:
            return problem.message

    def condition(self, model: Hosted, key: str | None) -> Condition:
        from .client import Client
        from .model_status import look

        server = model.settings.server.with_key(key)
        with Client(server, silence=model.settings.silence) as client:
            return look(client, model.tag, server.url)
