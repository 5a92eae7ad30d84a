"""Which of Ollama's endpoints are open (docs/api.md there), and what is passed on of a request."""

from __future__ import annotations

import re

from fastapi import APIRouter, Request
from fastapi.responses import Response

from llm_gpt_oss.engines.ollama.forward import ForwardedRequest

from ...http.errors import ApiError
from ...http.request_body import read_bytes
from ...state import ProxyState, server_of
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
# They change, give away or fill the disk with models: open only where a setting says so.
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
async def heartbeat(http: Request) -> Response:
    "By which Ollama's own clients see whether it runs."
    return Relay(http, ForwardedRequest("HEAD", "/", http.headers.raw, b""), server_of(http))


@router.api_route(
    "/api/{path:path}", methods=["DELETE", "GET", "HEAD", "PATCH", "POST", "PUT"], response_model=None
)
async def passed(http: Request, path: str) -> Response:
    server = server_of(http)
    name = "blobs" if BLOB.fullmatch(path) else path
    if refused := _refusal(server, name, http.method):
        return refused
    where = f"/api/{path}?{http.url.query}".removesuffix("?")
    if name == "blobs" and http.method == "POST":
        return Relay(http, ForwardedRequest(http.method, where, http.headers.raw, http.stream()), server)
    try:
        body = http.state.body = await read_bytes(http)
    except ApiError as error:
        return ollama_error(error.message, error.status)
    store = server.writer_for(http)
    ask = logged_generation(f"/api/{path}", body) if store else None
    turn = ForwardedTurn(ask, http, server, store) if store and ask else None
    return Relay(http, ForwardedRequest(http.method, where, http.headers.raw, body), server, turn)


def _refusal(server: ProxyState, name: str, method: str) -> Response | None:
    methods = {**OPEN, **CHANGES}.get(name)
    if methods is None:
        return ollama_error(f"There is no /api/{name} here.", 404)
    if method not in methods:
        message = f"/api/{name} takes {' or '.join(methods)}, not {method}."
        return ollama_error(message, 405, {"Allow": ", ".join(methods)})
    if name in CHANGES and not server.settings.allow_model_changes:
        return ollama_error(f"/api/{name} changes models, which is not allowed through this server.", 403)
    return None
