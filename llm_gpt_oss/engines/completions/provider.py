"The provider of the engine `completions`: vLLM and other servers with OpenAI's `/v1/completions`."

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import TYPE_CHECKING

import click

from ...catalog.binding import BoundModel
from ...completion import AsyncEngine, Engine
from ...errors import GptOssError
from ...settings import Settings
from ..hookspecs import EngineOption, ModelStatus
from ..shared_options import SERVER_HEADERS, SERVER_KEY, SERVER_MODEL

if TYPE_CHECKING:
    from .requests import Dialect

SERVER_NAME = "The server"  # in error messages
VLLM, LLAMA_CPP = "vllm", "llama.cpp"


class CompletionsProvider:
    name = "completions"
    options: Sequence[EngineOption] = (
        EngineOption(
            "--completions", "url", "URL of vLLM, or of a server like it", "URL", selects_engine=True
        ),
        EngineOption(
            "--dialect",
            "dialect",
            f"the server's variant of the API  [default: {VLLM}]",
            type=click.Choice((VLLM, LLAMA_CPP)),
        ),
        SERVER_MODEL,
        SERVER_KEY,
        SERVER_HEADERS,
    )

    def open(self, model: BoundModel, key: str | None) -> AbstractContextManager[Engine]:
        from ..http.endpoint import model_endpoint, server_model_name
        from ..http.engine import HttpEngine
        from .server import CompletionsServer

        endpoint = model_endpoint(SERVER_NAME, model, key)
        return HttpEngine(CompletionsServer(endpoint, server_model_name(model), _dialect(model)))

    def aopen(self, model: BoundModel, key: str | None) -> AbstractAsyncContextManager[AsyncEngine]:
        from ..http.endpoint import model_endpoint, server_model_name
        from ..http.engine import AsyncHttpEngine
        from .server import CompletionsServer

        endpoint = model_endpoint(SERVER_NAME, model, key)
        return AsyncHttpEngine(CompletionsServer(endpoint, server_model_name(model), _dialect(model)))

    def check(self, model: BoundModel) -> None:
        from ..http.endpoint import model_endpoint

        model_endpoint(SERVER_NAME, model, None)

    def summary(self, settings: Settings, models: Sequence[BoundModel]) -> str:
        if not models:
            return "no model was added with --completions URL"
        from ..http.endpoint import display_url

        return ", ".join(f"{model.tag} at {display_url(model)}" for model in models)

    def model_status(self, model: BoundModel, key: str | None) -> ModelStatus:
        from ..http.client import Client
        from ..http.endpoint import display_url, model_endpoint, server_model_name
        from ..http.model_card import card_context_length, card_numbers, models_request

        address = display_url(model)
        name = server_model_name(model) or model.tag
        try:
            with Client(model_endpoint(SERVER_NAME, model, key)) as client:
                cards = client.send(models_request())
        except GptOssError as problem:
            return ModelStatus(address, problem=str(problem))
        # llama.cpp's server has a single model, and accepts any name for it.
        default = cards[0] if cards and model.engine_options.get("dialect") == LLAMA_CPP else None
        card = next((card for card in cards if card.get("id") == name), default)
        if card is None:
            ids = ", ".join(str(card.get("id")) for card in cards) or "none"
            reason = f"The server has no model {name}. It has: {ids}. Name one of them with --model."
            return ModelStatus(address, version="with OpenAI's API", problem=reason)
        return ModelStatus(
            address,
            version=str(card.get("owned_by", "with OpenAI's API")),
            installed=True,
            loaded=True,
            context_length=card_context_length(card),
            fixed_context=True,
            **card_numbers(card),
        )


def _dialect(model: BoundModel) -> Dialect:
    from .requests import DIALECTS

    name = model.engine_options.get("dialect", VLLM)
    if name not in DIALECTS:
        raise GptOssError(
            f"{model.tag} was added with an unknown dialect: {name!r}.",
            remedy=f"Use one of {', '.join(DIALECTS)}.",
        )
    return DIALECTS[name]
