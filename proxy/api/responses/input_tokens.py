"""`POST /v1/responses/input_tokens`: how long a request's input is, as the model counts it."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request

from ...http.request_body import cancel_on_disconnect, read_body
from ...log.access import viewer_of
from ...state import server_of
from .context import load_context
from .request import ResponsesRequest

router = APIRouter()


class Counted(ResponsesRequest):
    "`personality` is without effect: there is one."

    model: str = "gpt-oss"
    personality: str | None = None


@router.post("/v1/responses/input_tokens")
async def count(http: Request) -> dict[str, Any]:
    server = server_of(http)
    request = await read_body(http, Counted)
    viewer = await viewer_of(http, server.plugins)
    ask = request.generation_request(await load_context(request, server.log_reader, viewer, {}))
    tokens = await cancel_on_disconnect(http, server.count_prompt_tokens(ask, http))
    return {"object": "response.input_tokens", "input_tokens": tokens}
