"""`GET /v1/models`, `GET /v1/models/{id}`: ids with `:` and `/` in them too."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request

from ..http.errors import ApiError
from ..inference.model_names import ModelNames, ResolvedModel
from ..state import server_of

router = APIRouter()

# The day on which OpenAI released the weights: clients want a date, and there is none that all models have.
RELEASED = 1754352000


@router.get("/v1/models")
async def listed(http: Request) -> dict[str, Any]:
    "Each model, and behind it the other names that it goes by."
    catalog = server_of(http).model_names
    tags = [catalog.resolve(name).tag for name in catalog]
    names = sorted(catalog, key=lambda name: (tags.index(catalog.resolve(name).tag), name not in tags))
    return {"object": "list", "data": [_model(catalog, name) for name in names]}


@router.get("/v1/models/{name:path}")
async def retrieved(http: Request, name: str) -> dict[str, Any]:
    return _model(server_of(http).model_names, name)


@router.delete("/v1/models/{name:path}")
async def deleted(http: Request, name: str) -> None:
    server_of(http).model_names.resolve(name)
    message = "No model is deleted through this server. Type `ollama rm` where Ollama runs."
    raise ApiError(403, message, code="forbidden")


def _model(catalog: ModelNames, name: str) -> dict[str, Any]:
    "Raises ApiError for a name that nothing goes by."
    return {
        "id": name,
        "object": "model",
        "created": RELEASED,
        "owned_by": _owner(catalog.resolve(name)),
    }


def _owner(meant: ResolvedModel) -> str:
    """Who published it: Ollama's tags name those who are not OpenAI. Of a model that is not ours, whose key
    it needs, or which plugin has it."""
    if meant.other:
        package = type(meant.other).__module__.partition(".")[0]
        return meant.other.needs_key or package.replace("_", "-")
    path, _, _ = meant.tag.rpartition("/")
    return path.rpartition("/")[2] or "openai"
