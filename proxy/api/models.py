"""`GET /v1/models` and `GET /v1/models/{id}`. Ids may contain `:` and `/`.

The list leaves out models that their engines do not have, because clients show it as a menu.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

from fastapi import APIRouter

from llm_gpt_oss.engines.hookspecs import ModelStatus

from ..http.errors import ApiError
from ..inference.model_names import ResolvedModel
from ..state import ProxyState, StateDep

router = APIRouter()

# When OpenAI released the weights. Clients expect a date, and most models have none.
RELEASED = 1754352000


@router.get("/v1/models")
async def list_models(state: StateDep) -> dict[str, Any]:
    "Each model, followed by its aliases."
    models = {name: state.model_names.resolve(name) for name in state.model_names}
    tags = list(dict.fromkeys(model.tag for model in models.values()))
    ordered = sorted(models.items(), key=lambda item: (tags.index(item[1].tag), item[0] not in tags))
    statuses = await _statuses(state, models.values())
    return {
        "object": "list",
        "data": [
            _model_object(state, name, model, status)
            for name, model in ordered
            if not ((status := statuses.get(model.tag)) and status.missing)
        ],
    }


@router.get("/v1/models/{name:path}")
async def retrieve(state: StateDep, name: str) -> dict[str, Any]:
    "Raises ApiError for an unknown name, and for a model that its engine does not have."
    model = state.model_names.resolve(name)
    status = (await _statuses(state, [model])).get(model.tag)
    if status and status.missing:
        message = f"The model '{name}' does not exist here. {status.problem}"
        raise ApiError(404, message, code="model_not_found", param="model")
    return _model_object(state, name, model, status)


@router.delete("/v1/models/{name:path}")
async def delete(state: StateDep, name: str) -> None:
    state.model_names.resolve(name)
    message = "Models cannot be deleted through this server. Type `ollama rm` where Ollama runs."
    raise ApiError(403, message, code="forbidden")


async def _statuses(state: ProxyState, models: Iterable[ResolvedModel]) -> dict[str, ModelStatus | None]:
    "Return what the engines report about our models, by tag. Other plugins' models have no status."
    tags = list({model.tag for model in models if not model.other})
    return dict(zip(tags, await asyncio.gather(*map(state.model_status, tags)), strict=True))


def _model_object(
    state: ProxyState, name: str, model: ResolvedModel, status: ModelStatus | None
) -> dict[str, Any]:
    """Return the model as JSON, with fields of other servers for what OpenAI does not report.

    `context_length` is OpenRouter's field, `max_model_len` is vLLM's, and `meta` is from llama.cpp's server.
    """
    card: dict[str, Any] = {"id": name, "object": "model", "created": RELEASED, "owned_by": _owner(model)}
    num_ctx = state.settings.num_ctx
    context_length = status.context_with(num_ctx) if status else num_ctx
    if context_length:
        card |= {"context_length": context_length, "max_model_len": context_length}
    if status:
        meta = {
            "n_ctx": context_length,
            "n_ctx_train": status.trained_context,
            "n_params": status.parameters,
            "n_vocab": status.vocabulary,
            "n_embd": status.embedding_length,
            "size": status.size,
        }
        if meta := {key: value for key, value in meta.items() if value is not None}:
            card["meta"] = meta
    return card


def _owner(model: ResolvedModel) -> str:
    """Return who published the model: the first part of an Ollama tag such as `user/name`, or OpenAI.

    For a model of another plugin, return the name of the key that it needs, or the name of the plugin.
    """
    if model.other:
        package = type(model.other).__module__.partition(".")[0]
        return model.other.needs_key or package.replace("_", "-")
    path, _, _ = model.tag.rpartition("/")
    return path.rpartition("/")[2] or "openai"
