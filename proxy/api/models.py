"""`GET /v1/models` and `GET /v1/models/{id}`. Ids may contain `:` and `/`."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from ..http.errors import ApiError
from ..inference.model_names import ModelNames, ResolvedModel
from ..state import StateDep

router = APIRouter()

# When OpenAI released the weights. Clients expect a date, and most models have none.
RELEASED = 1754352000


@router.get("/v1/models")
async def list_models(state: StateDep) -> dict[str, Any]:
    "Each model, followed by its aliases."
    model_names = state.model_names
    tags = [model_names.resolve(name).tag for name in model_names]
    ordered = sorted(
        model_names, key=lambda name: (tags.index(model_names.resolve(name).tag), name not in tags)
    )
    return {"object": "list", "data": [_model(model_names, name) for name in ordered]}


@router.get("/v1/models/{name:path}")
async def retrieve(state: StateDep, name: str) -> dict[str, Any]:
    return _model(state.model_names, name)


@router.delete("/v1/models/{name:path}")
async def delete(state: StateDep, name: str) -> None:
    state.model_names.resolve(name)
    message = "Models cannot be deleted through this server. Type `ollama rm` where Ollama runs."
    raise ApiError(403, message, code="forbidden")


def _model(model_names: ModelNames, name: str) -> dict[str, Any]:
    "Return the model with this name as JSON. Raises ApiError for an unknown name."
    return {
        "id": name,
        "object": "model",
        "created": RELEASED,
        "owned_by": _owner(model_names.resolve(name)),
    }


def _owner(model: ResolvedModel) -> str:
    """Return who published the model: the first part of an Ollama tag such as `user/name`, or OpenAI.

    For a model of another plugin, return the name of the key that it needs, or the name of the plugin.
    """
    if model.other:
        package = type(model.other).__module__.partition(".")[0]
        return model.other.needs_key or package.replace("_", "-")
    path, _, _ = model.tag.rpartition("/")
    return path.rpartition("/")[2] or "openai"
