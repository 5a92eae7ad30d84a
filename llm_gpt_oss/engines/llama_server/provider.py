"The provider of the engine `llama-server`, llama.cpp's own server."

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import TYPE_CHECKING

from ...catalog.binding import BoundModel
from ...completion import AsyncEngine, Engine, Json
from ...errors import EngineError, GptOssError
from ...settings import Settings
from ..hookspecs import EngineOption, ModelStatus
from ..shared_options import SERVER_HEADERS, SERVER_KEY, SERVER_MODEL

if TYPE_CHECKING:
    from ..http.client import Client

SERVER_NAME = "llama-server"  # in error messages


class LlamaServerProvider:
    name = "llama-server"
    options: Sequence[EngineOption] = (
        EngineOption("--llama-server", "url", "URL of llama.cpp's server", "URL", selects_engine=True),
        SERVER_MODEL,
        SERVER_KEY,
        SERVER_HEADERS,
    )

    def open(self, model: BoundModel, key: str | None) -> AbstractContextManager[Engine]:
        from ..http.endpoint import model_endpoint, server_model_name
        from ..http.engine import HttpEngine
        from .server import LlamaServer

        return HttpEngine(LlamaServer(model_endpoint(SERVER_NAME, model, key), server_model_name(model)))

    def aopen(self, model: BoundModel, key: str | None) -> AbstractAsyncContextManager[AsyncEngine]:
        from ..http.endpoint import model_endpoint, server_model_name
        from ..http.engine import AsyncHttpEngine
        from .server import LlamaServer

        return AsyncHttpEngine(LlamaServer(model_endpoint(SERVER_NAME, model, key), server_model_name(model)))

    def check(self, model: BoundModel) -> None:
        from ..http.endpoint import model_endpoint

        model_endpoint(SERVER_NAME, model, None)

    def summary(self, settings: Settings, models: Sequence[BoundModel]) -> str:
        if not models:
            return "no model was added with --llama-server URL"
        from ..http.endpoint import display_url

        return ", ".join(f"{model.tag} at {display_url(model)}" for model in models)

    def model_status(self, model: BoundModel, key: str | None) -> ModelStatus:
        from ..http.client import Client
        from ..http.endpoint import display_url, model_endpoint, server_model_name
        from ..http.model_card import card_numbers
        from .requests import markers_request, props_request

        address = display_url(model)
        try:
            with Client(model_endpoint(SERVER_NAME, model, key)) as client:
                props = client.send(props_request())
                client.send(markers_request(model.tag))
                card = _model_card(client, server_model_name(model))
        except GptOssError as problem:
            return ModelStatus(address, problem=str(problem))
        return ModelStatus(
            address,
            version=str(props.get("build_info", "of an unknown version")),
            installed=True,
            loaded=True,
            context_length=(props.get("default_generation_settings") or {}).get("n_ctx"),
            fixed_context=True,
            **card_numbers(card),
        )


def _model_card(client: Client, name: str | None) -> Json:
    "Return what the server says about the model with this name, or about its only one. It may say nothing."
    from ..http.model_card import models_request

    try:
        cards = client.send(models_request())
    except EngineError:
        return {}
    return next((card for card in cards if card.get("id") == name), cards[0] if cards else {})
