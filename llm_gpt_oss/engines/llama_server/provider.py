"llama.cpp's server among the engines. What it needs is imported when it is opened."

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager

from ...catalog.binding import Hosted
from ...completion import AsyncEngine, Engine
from ...errors import GptOssError
from ...settings import Settings
from ..hookspecs import Condition


class LlamaServerKind:
    name = "llama-server"

    def open(self, model: Hosted, key: str | None) -> AbstractContextManager[Engine]:
        from ..http.endpoint import peer, served_as
        from .engine import LlamaServerEngine

        return LlamaServerEngine(peer("llama-server", model, key), served_as(model))

    def aopen(self, model: Hosted, key: str | None) -> AbstractAsyncContextManager[AsyncEngine]:
        from ..http.endpoint import peer, served_as
        from .engine import AsyncLlamaServerEngine

        return AsyncLlamaServerEngine(peer("llama-server", model, key), served_as(model))

    def check(self, model: Hosted) -> None:
        from ..http.endpoint import peer

        peer("llama-server", model, None)

    def state(self, settings: Settings, models: Sequence[Hosted]) -> str:
        if not models:
            return "no model was added with --llama-server URL"
        from ..http.endpoint import shown

        return ", ".join(f"{model.tag} at {shown(model)}" for model in models)

    def condition(self, model: Hosted, key: str | None) -> Condition:
        from ..http.client import Client, Request
        from ..http.endpoint import peer, shown
        from .requests import check_vocabulary, vocabulary

        address = shown(model)
        try:
            client = Client(peer("llama-server", model, key))
            try:
                told = client.send(Request("/props"))
                check_vocabulary(model.tag, client.send(vocabulary()))
            finally:
                client.close()
        except GptOssError as problem:
            return Condition(address, problem=str(problem))
        return Condition(
            address,
            version=str(told.get("build_info", "of an unknown version")),
            installed=True,
            loaded=True,
            context_length=(told.get("default_generation_settings") or {}).get("n_ctx"),
        )
