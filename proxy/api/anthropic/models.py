"""`GET /v1/models` and `GET /v1/models/{id}` as Anthropic's API has them (SDK, `types/model_info.py`).

OpenAI's API has the same paths. A header of Anthropic's clients tells the requests apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from fastapi import APIRouter
from fastapi.routing import APIRoute
from starlette.routing import Match
from starlette.types import Scope

from ...http.anthropic_errors import is_anthropic
from ...state import StateDep
from .. import models


class AnthropicRoute(APIRoute):
    "A route for requests of Anthropic's clients. Others get the next route with the same path."

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        return super().matches(scope) if is_anthropic(scope) else (Match.NONE, {})


router = APIRouter(route_class=AnthropicRoute)


@router.get("/v1/models")
async def list_models(state: StateDep) -> dict[str, Any]:
    "All models, on one page."
    data = [_model_info(model) for model in (await models.list_models(state))["data"]]
    ids = [model["id"] for model in data]
    return {
        "data": data,
        "has_more": False,
        "first_id": ids[0] if ids else None,
        "last_id": ids[-1] if ids else None,
    }


@router.get("/v1/models/{name:path}")
async def retrieve(state: StateDep, name: str) -> dict[str, Any]:
    return _model_info(await models.retrieve(state, name))


def _model_info(model: Mapping[str, Any]) -> dict[str, Any]:
    "Return a model of OpenAI's list in Anthropic's form."
    return {
        "type": "model",
        "id": model["id"],
        "display_name": model["id"],
        "created_at": datetime.fromtimestamp(model["created"], timezone.utc).isoformat(),
        "lifecycle": "active",
        "max_input_tokens": model.get("context_length"),
    }
