"""`/api/...`: Ollama's own API. Requests are forwarded to Ollama as they are, except for `load_options`.

Chats and generations are logged. A model that runs on another engine is described here, and its engine
answers raw completions.

Ollama's documentation (docs/api.md) lists its endpoints.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from pydantic import ValidationError

from llm_gpt_oss.catalog.binding import DEFAULT_ENGINE
from llm_gpt_oss.completion import Json
from llm_gpt_oss.engines.ollama.forward import ForwardedRequest, ForwardedResponse
from llm_gpt_oss.engines.ollama.forward import forward as forward_to_ollama

from ...http.errors import ApiError
from ...http.long_work import off_loop
from ...http.request_body import parse_body_json, read_bytes
from ...state import ProxyState, StateDep, ViewerDep
from .harmony_request import harmony_request
from .load_options import GENERATING, unify_load_options
from .raw_completion import RawBody, complete, is_raw
from .raw_reader import RawReader
from .reader import ChatReader
from .relay import Relay, ollama_error
from .request import logged_generation
from .turn_log import ForwardedTurn, LoggedCompletion

router = APIRouter()

OpenAnswer = Callable[[], AbstractAsyncContextManager[ForwardedResponse]]

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
# Those that run a model, and load it if need be.
RUNNING = ("chat", "generate", "embed", "embeddings")
# These change models, publish them, or fill the disk with them. They are open only if a setting allows it.
CHANGES: dict[str, tuple[str, ...]] = {
    "blobs": ("HEAD", "POST"),
    "copy": ("POST",),
    "create": ("POST",),
    "delete": ("DELETE",),
    "pull": ("POST",),
    "push": ("POST",),
}
# What Ollama says of a gpt-oss, for clients that check the family of a model before they prompt it.
DESCRIPTION = {
    "details": {"family": "gptoss", "families": ["gptoss"]},
    "model_info": {"general.architecture": "gptoss"},
    "capabilities": ["completion"],
}
BLOB = re.compile(r"blobs/sha256[:-][0-9a-f]{64}")


@router.head("/")
async def heartbeat(request: Request, state: StateDep) -> Response:
    "Ollama's clients send this to check whether Ollama runs."
    return Relay(request, _from_ollama(state, ForwardedRequest("HEAD", "/", request.headers.raw, b"")))


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
        upload = ForwardedRequest(request.method, target, headers.raw, request.stream())
        return Relay(request, _from_ollama(state, upload), is_upload=True)
    try:
        body, held = await read_bytes(request, state.body_budget)
        # Ollama may be able to read what this server cannot, but then the request would not be logged.
        is_read = name in RUNNING and body
        data = sent = await off_loop(len(body), parse_body_json, body) if is_read else None
    except ApiError as error:
        return ollama_error(error.message, error.status, error.headers)
    if name == "show" and _other_engine(state, _parsed(body)):
        return JSONResponse(DESCRIPTION)
    forwarded = ForwardedRequest(request.method, target, headers.raw, body)
    if isinstance(sent, dict):
        named = _with_tag(state, sent) if name == "generate" and is_raw(sent) else sent
        data, request.state.ignored = unify_load_options(named, state, name)
        if data != sent:
            forwarded = forwarded.with_body(await off_loop(len(body), _encoded, data))
    try:
        if name == "generate" and is_raw(data):
            open_answer = _from_engine(state, forwarded, data)
        else:
            open_answer = _from_ollama(state, forwarded)
    except ValidationError as problem:
        first = problem.errors(include_url=False)[0]
        return ollama_error(f"{'.'.join(map(str, first['loc']))}: {first['msg']}", 400)
    writer = state.turn_logging.writer_for(headers)
    turn = None
    if (
        writer
        and name in GENERATING
        and (completion := await off_loop(len(body), _logged_completion, state, f"/api/{path}", sent, body))
    ):
        try:
            writer.check_room()
        except ApiError as error:
            return ollama_error(error.message, error.status, error.headers)
        turn = ForwardedTurn(completion, headers, viewer, writer, state)
        if not completion.begun:  # otherwise it may become part of an earlier turn
            request.state.turn_id = turn.id
    return Relay(request, open_answer, turn, held=held)


def _logged_completion(state: ProxyState, endpoint: str, data: Any, body: bytes) -> LoggedCompletion | None:
    "Return what is logged of a request with this body, or None if that is nothing."
    if endpoint == "/api/generate" and is_raw(data):
        name = str(data.get("model"))
        if harmony := harmony_request(endpoint, data, _tag(state, name) or name):
            return LoggedCompletion(
                harmony.generation,
                json.dumps(harmony.body, ensure_ascii=False),
                RawReader(harmony, time.monotonic),
                harmony.begun_answer if harmony.continues_turn else (),
            )
    if generation := logged_generation(endpoint, data):
        return LoggedCompletion(generation, body.decode(), ChatReader(time.monotonic))
    return None


def _other_engine(state: ProxyState, data: Any) -> str | None:
    "Return the tag of the model that a request names, if the model runs on another engine than Ollama."
    tag = _tag(state, str(data.get("model"))) if isinstance(data, dict) else None
    return tag if tag and state.bound_model(tag).engine != DEFAULT_ENGINE else None


def _tag(state: ProxyState, name: str) -> str | None:
    "Return the tag of gpt-oss that a name stands for, None for a name that this server does not know."
    try:
        model = state.model_names.resolve(name)
    except ApiError:
        return None
    return None if model.other else model.tag


def _parsed(body: bytes) -> Any:
    "Return the JSON value of a body, or None if it is not JSON or has too many values to be read here."
    try:
        return parse_body_json(body)
    except ApiError:
        return None


def _encoded(data: Any) -> bytes:
    return json.dumps(data, ensure_ascii=False).encode()


def _with_tag(state: ProxyState, data: Json) -> Json:
    """Return a raw completion for Ollama with the model's tag, if it names an alias of this server.

    A name that the server does not know is Ollama's.
    """
    tag = _tag(state, str(data.get("model")))
    return data if tag is None or _other_engine(state, data) else {**data, "model": tag}


def _from_ollama(state: ProxyState, forwarded: ForwardedRequest) -> OpenAnswer:
    return lambda: forward_to_ollama(state.ollama_address(), forwarded, state.plugin_settings.read_timeout)


def _from_engine(state: ProxyState, forwarded: ForwardedRequest, data: Any) -> OpenAnswer:
    """Return what opens the answer to a raw completion: on the engine that runs the model.

    Raises ValidationError for a body that the model's engine cannot read.
    """
    if (tag := _other_engine(state, data)) is None:
        return _from_ollama(state, forwarded)
    body = RawBody.model_validate(data)
    return lambda: complete(
        state.engine_for(tag),
        body.to_completion(tag, state.settings.num_ctx),
        state.queue,
        model=body.model,
        stream=body.stream is not False,
    )


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
