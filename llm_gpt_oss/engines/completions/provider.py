"OpenAI-style completion servers among the engines. What they need is imported when one is opened."

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import TYPE_CHECKING

from ...catalog.binding import Hosted
from ...completion import AsyncEngine, Engine
from ...errors import GptOssError
from ...settings import Settings
from ..hookspecs import Condition

if TYPE_CHECKING:
    from .requests import Dialect

VLLM = "vllm"


class CompletionsKind:
    name = "completions"

    def open(self, model: Hosted, key: str | None) -> AbstractContextManager[Engine]:
        from ..http.endpoint import peer, served_as
        from .engine import CompletionsEngine

        return CompletionsEngine(peer("The server", model, key), served_as(model), _dialect(model))

    def aopen(self, model: Hosted, key: str | None) -> AbstractAsyncContextManager[AsyncEngine]:
        from ..http.endpoint import peer, served_as
        from .engine import AsyncCompletionsEngine

        return AsyncCompletionsEngine(peer("The server", model, key), served_as(model), _dialect(model))

    def check(self, model: Hosted) -> None:
        from ..http.endpoint import peer

        peer("The server", model, None)

    def state(self, settings: Settings, models: Sequence[Hosted]) -> str:
        if not models:
            return "no model was added with --completions URL"
        from ..http.endpoint import shown

        return ", ".join(f"{model.tag} at {shown(model)}" for model in models)

    def condition(self, model: Hosted, key: str | None) -> Condition:
        from ..http.client import Client, Request
        from ..http.endpoint import peer, served_as, shown

        address = shown(model)
        name = served_as(model) or model.tag
        try:
            client = Client(peer("The server", model, key))
            try:
                cards = client.send(Request("/v1/models")).get("data") or []
            finally:
                client.close()
        except GptOssError as problem:
            return Condition(address, problem=str(problem))
        # llama.cpp's server has one, and does not mind what it is called.
        one = cards[:1] if model.facts.get("dialect") == "llama.cpp" else []
        named = (card for card in cards if name == card.get("id"))
        card = next(named, next(iter(one), None))
        if card is None:
            known = ", ".join(str(card.get("id")) for card in cards) or "none"
            why = f"The server has no model {name}. It has: {known}. Name one of them with --model."
            return Condition(address, version="of OpenAI's form", problem=why)
        length = card.get("max_model_len") or (card.get("meta") or {}).get("n_ctx")
        server = str(card.get("owned_by", "of OpenAI's form"))
        return Condition(address, version=server, installed=True, loaded=True, context_length=length)


def _dialect(model: Hosted) -> Dialect:
    from .requests import DIALECTS

    name = model.facts.get("dialect", VLLM)
    if name not in DIALECTS:
        raise GptOssError(
            f"{model.tag} was added with a dialect that nobody speaks here: {name!r}.",
            remedy=f"There are {', '.join(DIALECTS)}.",
        )
    return DIALECTS[name]
