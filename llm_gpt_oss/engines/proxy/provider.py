"The provider of the engine `proxy`: a server that `llm gpt-oss serve` runs on another machine."

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from dataclasses import replace

from ...catalog.binding import BoundModel
from ...catalog.models_file import DEFAULT_ALIAS
from ...completion import AsyncEngine, Engine
from ...errors import GptOssError
from ...settings import Settings
from ..hookspecs import EngineOption, ModelStatus
from ..shared_options import SERVER_HEADERS, SERVER_KEY, SERVER_MODEL


class ProxyProvider:
    name = "proxy"
    options: Sequence[EngineOption] = (
        EngineOption(
            "--proxy", "url", "URL of `llm gpt-oss serve` on another machine", "URL", selects_engine=True
        ),
        SERVER_MODEL,
        SERVER_KEY,
        SERVER_HEADERS,
    )

    def open(self, model: BoundModel, key: str | None) -> AbstractContextManager[Engine]:
        from ..http.engine import HttpEngine
        from .server import ProxyServer, proxied_model, proxy_endpoint

        return HttpEngine(ProxyServer(proxy_endpoint(model, key), proxied_model(model)))

    def aopen(self, model: BoundModel, key: str | None) -> AbstractAsyncContextManager[AsyncEngine]:
        from ..http.engine import AsyncHttpEngine
        from .server import ProxyServer, proxied_model, proxy_endpoint

        return AsyncHttpEngine(ProxyServer(proxy_endpoint(model, key), proxied_model(model)))

    def check(self, model: BoundModel) -> None:
        from .server import proxy_endpoint

        proxy_endpoint(model, None)

    def summary(self, settings: Settings, models: Sequence[BoundModel]) -> str:
        if not models:
            return "no model was added with --proxy URL"
        from ..http.endpoint import display_url

        return ", ".join(f"{model.tag} at {display_url(model)}" for model in models)

    def model_status(self, model: BoundModel, key: str | None) -> ModelStatus:
        from ..http.client import Client
        from ..http.endpoint import display_url
        from ..http.model_card import card_context_length, card_numbers
        from .server import health_request, model_request, proxied_model, proxy_endpoint

        status, name = ModelStatus(display_url(model)), proxied_model(model)
        try:
            with Client(proxy_endpoint(model, key)) as client:
                health = client.send(health_request())
                status = replace(status, version=f"llm-gpt-oss {health['version']}")
                card = client.send(model_request(name))
        except GptOssError as problem:
            return replace(status, problem=str(problem))
        status = replace(status, context_length=card_context_length(card), **card_numbers(card))
        if name not in (DEFAULT_ALIAS, health.get("model")):
            return replace(status, installed=True)  # the server reports only the state of its default model
        engine_problems = {
            "unreachable": f"The server's own engine does not answer. Look at {status.address}/health.",
            "no model": f"The server's engine has no model {health.get('model')}. "
            f"Type `llm gpt-oss pull {health.get('model')}` there.",
        }
        found = engine_problems.get(str(health.get("engine")))
        return replace(status, installed=found is None, loaded=health.get("loaded") is True, problem=found)
