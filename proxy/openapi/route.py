"`GET /openapi.json`: the description of the API, which needs a key where the API does."

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from pydantic_core import to_json

router = APIRouter()


# Not async, so that FastAPI calls it on a thread: the description takes a while to make.
@router.get("/openapi.json")
def describe(request: Request) -> Response:
    # Most servers are never asked for it.
    from .document import document

    state = request.app.state
    if not hasattr(state, "description"):
        state.description = to_json(document(request.app))
    return Response(state.description, media_type="application/json")
