"What servers with OpenAI's API say about their models."

from __future__ import annotations

from typing import TypedDict

from ...completion import Json
from .request import Request


class CardNumbers(TypedDict):
    "The numbers of a `ModelStatus` that servers report."

    size: int | None
    trained_context: int | None
    parameters: int | None
    vocabulary: int | None
    embedding_length: int | None


def models_request() -> Request[list[Json]]:
    "The models of the server, as OpenAI's API describes them."
    return Request("/v1/models", lambda data: data.get("data") or [])


def card_context_length(card: Json) -> int | None:
    "Return the context length that the server was started with: vLLM's field, or llama.cpp's."
    return _number(card, "max_model_len") or _number(_meta(card), "n_ctx")


def card_numbers(card: Json) -> CardNumbers:
    "Return the numbers that llama.cpp's server adds as `meta`."
    meta = _meta(card)
    return CardNumbers(
        size=_number(meta, "size"),
        trained_context=_number(meta, "n_ctx_train"),
        parameters=_number(meta, "n_params"),
        vocabulary=_number(meta, "n_vocab"),
        embedding_length=_number(meta, "n_embd"),
    )


def _meta(card: Json) -> Json:
    meta = card.get("meta")
    return meta if isinstance(meta, dict) else {}


def _number(values: Json, name: str) -> int | None:
    value = values.get(name)
    return value if type(value) is int and value > 0 else None
