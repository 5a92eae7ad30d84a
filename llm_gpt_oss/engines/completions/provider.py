"OpenAI-style completion servers among the engines. What they need is imported when one is opened."

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import TYPE_CHECKING

from ...catalog.binding import BoundModel
from ...completion import AsyncEngine, Engine
from ...errors import GptOssError
from ...settings import Settings
from ..hookspecs import ModelStatus

if TYPE_CHECKING:
    from .requests import Dialect

VLLM = "vllm"


class CompletionsProvider:
    name = "completions"

    def open(self, model: BoundModel, key: str | None) -> AbstractContextManager[Engine]:
        from ..http.endpoint import model_endpoint, server_model_name
        from ..http.engine import HttpEngine
        from .server import CompletionsServer

        endpoint = model_endpoint("The server", model, key)
        return HttpEngine(CompletionsServer(endpoint, server_model_name(model), _dialect(model)))

    def aopen(self, model: BoundModel, key: str | None) -> AbstractAsyncContextManager[AsyncEngine]:
        from ..http.endpoint import model_endpoint, server_model_name
        from ..http.engine import AsyncHttpEngine
        from .server import CompletionsServer

        endpoint = model_endpoint("The server", model, key)
        return AsyncHttpEngine(CompletionsServer(endpoint, server_model_name(model), _dialect(model)))

    def check(self, model: BoundModel) -> None:
        from ..http.endpoint import model_endpoint

        model_endpoint("The server", model, None)

    def summary(self, settings: Settings, models: Sequence[BoundModel]) -> str:
        if not models:
            return "no model was added with --completions URL"
        from ..http.endpoint import display_url

        return ", ".join(f"{model.tag} at {display_url(model)}" for model in models)

    def model_status(self, model: BoundModel, key: str | None) -> ModelStatus:
        from ..http.client import Client
        from ..http.endpoint import display_url, model_endpoint, server_model_name
        from .requests import models_request

        address = display_url(model)
        name = server_model_name(model) or model.tag
        try:
            with Client(model_endpoint("The server", model, key)) as client:
                cards = client.send(models_request())
        except GptOssError as problem:
            return ModelStatus(address, problem=str(problem))
        # llama.cpp's server has one, and does not mind what it is called.
        one = cards[:1] if model.engine_options.get("dialect") == "llama.cpp" else []
        named = (card for card in cards if name == card.get("id"))
        card = next(named, next(iter(one), None))
        if card is None:
            known = ", ".join(str(card.get("id")) for card in cards) or "none"
            why = f"The server has no model {name}. It has: {known}. Name one of them with --model."
            return ModelStatus(address, version="of OpenAI's form", problem=why)
        length = card.get("max_model_len") or (card.get("meta") or {}).get("n_ctx")
        server = str(card.get("owned_by", "of OpenAI's form"))
        return ModelStatus(address, version=server, installed=True, loaded=True, context_length=length)


def _dialect(model: BoundModel) -> Dialect:
    from .requests import DIALECTS

    name = model.engine_options.get("dialect", VLLM)
    if name not in DIALECTS:
        raise GptOssError(
            f"{model.tag} was added with a dialect that nobody speaks here: {name!r}.",
            remedy=f"There are {', '.join(DIALECTS)}.",
        )
    return DIALECTS[name]
