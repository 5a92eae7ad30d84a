"""`POST /v1/responses/input_tokens`: how long a request's input is, as the model counts it."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request

from ...http.request_body import body_of, unless_left
from ...log.access import viewer_of
from ...state import server_of
from .context import context_of
from .request import ResponsesRequest

router = APIRouter()


class Counted(ResponsesRequest):
    "`personality` is without effect: there is one."

    model: str = "gpt-oss"
    personality: Any = None


@router.post("/v1/responses/input_tokens")
async def count(http: Request) -> dict[str, Any]:
    server = server_of(http)
    request = await body_of(http, Counted)
    viewer = await viewer_of(http, server.plugins)
    ask = request.ask(await context_of(request, server.stored, viewer, {}))
    tokens = await unless_left(http, server.prompt_tokens(ask, http))
    return {"object": "response.input_tokens", "input_tokens": tokens}
