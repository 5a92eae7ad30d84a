"""`/api/...`: Ollama's own API. Requests are forwarded to Ollama as they are, and chats and generations
logged.

Ollama's documentation (docs/api.md) lists its endpoints.
"""

from __future__ import annotations

import re

from fastapi import APIRouter, Request
from fastapi.responses import Response

from llm_gpt_oss.engines.ollama.forward import ForwardedRequest

from ...http.errors import ApiError
from ...http.request_body import read_bytes
from ...state import ProxyState, StateDep, ViewerDep
from .relay import Relay, ollama_error
from .request import logged_generation
from .turn_log import ForwardedTurn

router = APIRouter()

OPEN: dict[str, tuple[str, ...]] = {
    "chat": ("POST",),
    "generate": ("POST",),
    "embed": ("POST",),
    "embeddings": ("POST",),
    "show": ("POST",),
    "ps": ("GET",),
    "tags": ("GET", "HEAD"),
    "version": ("GET", "HEAD"),
}
# These change models, publish them, or fill the disk with them. They are open only if a setting allows it.
CHANGES: dict[str, tuple[str, ...]] = {
    "blobs": ("HEAD", "POST"),
    "copy": ("POST",),
    "create": ("POST",),
    "delete": ("DELETE",),
    "pull": ("POST",),
    "push": ("POST",),
}
BLOB = re.compile(r"blobs/sha256[:-][0-9a-f]{64}")


@router.head("/")
async def heartbeat(request: Request, state: StateDep) -> Response:
    "Ollama's clients send this to check whether Ollama runs."
    return Relay(request, ForwardedRequest("HEAD", "/", request.headers.raw, b""), state)


@router.api_route(
    "/api/{path:path}", methods=["DELETE", "GET", "HEAD", "PATCH", "POST", "PUT"], response_model=None
)
async def forward(request: Request, state: StateDep, viewer: ViewerDep, path: str) -> Response:
    name = "blobs" if BLOB.fullmatch(path) else path
    if rejection := _rejection(state, name, request.method):
        return rejection
    target = f"/api/{path}?{request.url.query}".removesuffix("?")
    headers = request.headers
    if name == "blobs" and request.method == "POST":
        return Relay(request, ForwardedRequest(request.method, target, headers.raw, request.stream()), state)
    try:
        body = await read_bytes(request)
    except ApiError as error:
        return ollama_error(error.message, error.status, error.headers)
    writer = state.turn_logging.writer_for(headers)
    generation = logged_generation(f"/api/{path}", body) if writer else None
    turn = None
    if writer and generation:
        turn = ForwardedTurn(generation, body, headers, viewer, writer, state.turn_logging, state.plugins)
    return Relay(request, ForwardedRequest(request.method, target, headers.raw, body), state, turn)


def _rejection(state: ProxyState, name: str, method: str) -> Response | None:
    methods = {**OPEN, **CHANGES}.get(name)
    if methods is None:
        return ollama_error(f"There is no /api/{name} here.", 404)
    if method not in methods:
        message = f"/api/{name} takes {' or '.join(methods)}, not {method}."
        return ollama_error(message, 405, {"Allow": ", ".join(methods)})
    if name in CHANGES and not state.settings.allow_model_changes:
        return ollama_error(f"/api/{name} changes models, which is not allowed through this server.", 403)
    return None
