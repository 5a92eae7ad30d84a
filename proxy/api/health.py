"""`GET /health`, for probes; `GET /`, for a person who opens the address in a browser."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from importlib.metadata import version
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response

from llm_gpt_oss.catalog.binding import DEFAULT_ENGINE, BoundModel
from llm_gpt_oss.catalog.tags import same_model
from llm_gpt_oss.engines.http.client import AsyncClient
from llm_gpt_oss.engines.ollama.answers import ModelInfo, RunningModel
from llm_gpt_oss.engines.ollama.endpoint import ollama_endpoint
from llm_gpt_oss.engines.ollama.requests import ps, tags
from llm_gpt_oss.engines.registered import get_provider
from llm_gpt_oss.errors import GptOssError

from ..state import ProxyState, StateDep

router = APIRouter()

EngineState = Literal["unreachable", "no model", "loading", "ready"]

# Seconds that the engine may take to report its state, and seconds for which a report is used.
TIMEOUT = 1.0
MAX_AGE = 1.0


@dataclass(frozen=True, slots=True)
class EngineHealth:
    """The state of the default model's engine.

    `ready`: the model will answer, though it may have to be loaded first. `loading`: it is not loaded yet,
    and a client waits for it. `loaded` is whether it is in memory.
    """

    state: EngineState
    loaded: bool = False


class Probe:
    "Checks the engine's health, at most once a second for all clients together."

    def __init__(self, state: ProxyState, clock: Callable[[], float] = time.monotonic) -> None:
        self._state = state
        self._clock = clock
        self._lock = asyncio.Lock()
        self._latest: tuple[float, EngineHealth] | None = None

    async def health(self) -> EngineHealth:
        async with self._lock:
            if self._latest is None or self._clock() - self._latest[0] >= MAX_AGE:
                health = await self._check()
                self._latest = self._clock(), health
            return self._latest[1]

    async def _check(self) -> EngineHealth:
        tag = self._state.settings.model
        model = self._state.bound_model(tag)
        if model.engine != DEFAULT_ENGINE:
            return await self._check_provider(model)
        try:
            pulled, running = await asyncio.wait_for(self._ollama_models(), TIMEOUT)
        except (GptOssError, asyncio.TimeoutError):
            return EngineHealth("unreachable")
        if any(same_model(each.name, tag) for each in running):
            return EngineHealth("ready", loaded=True)
        if not any(same_model(each.name, tag) for each in pulled):
            return EngineHealth("no model")
        return EngineHealth("loading" if self._state.queue.running else "ready")

    async def _check_provider(self, model: BoundModel) -> EngineHealth:
        "Check an engine other than Ollama, in a thread: it may read files, or wait for a server."
        check = asyncio.to_thread(lambda: get_provider(model.engine).model_status(model, model.api_key()))
        try:
            status = await asyncio.wait_for(check, TIMEOUT)
        except (GptOssError, asyncio.TimeoutError):
            return EngineHealth("unreachable")
        if status.problem:
            return EngineHealth("no model" if status.version and not status.installed else "unreachable")
        return EngineHealth("ready", loaded=status.loaded)

    async def _ollama_models(self) -> tuple[list[ModelInfo], list[RunningModel]]:
        "Return the models on Ollama's disk, and those in its memory."
        async with AsyncClient(ollama_endpoint(self._state.ollama_address())) as client:
            return await asyncio.gather(client.send(tags()), client.send(ps()))


async def _probe(request: Request) -> Probe:
    probe: Probe = request.app.state.probe
    return probe


@router.get("/health")
async def health(
    request: Request, state: StateDep, probe: Annotated[Probe, Depends(_probe)], ready: str | None = None
) -> JSONResponse:
    "200 if the server itself works. With `?ready=1`, 503 if a prompt would fail."
    engine = await probe.health()
    queue = state.queue
    is_ready = engine.state in ("ready", "loading") and not queue.is_full
    body: dict[str, Any] = {
        "status": "ok" if is_ready else "degraded",
        "engine": engine.state,
        "loaded": engine.loaded,
        "model": state.settings.model,
        "queue": {"running": queue.running, "waiting": queue.waiting},
        "log": state.log_writer.status if state.turn_logging.writer_for(request.headers) else "off",
        "version": version("llm-gpt-oss"),
    }
    failing = ready not in (None, "", "0") and not is_ready
    return JSONResponse(body, 503 if failing else 200, {"Cache-Control": "no-store"})


PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>llm-gpt-oss</title>
<style>body {{ font: 1rem/1.5 system-ui; max-width: 40rem; margin: 3rem auto; padding: 0 1rem }}</style>
<h1>llm-gpt-oss</h1>
<p>OpenAI's API for gpt-oss on this machine. In an app, set</p>
<pre>OPENAI_BASE_URL={base}/v1
OPENAI_API_KEY=any</pre>
<p><a href="/v1/models">/v1/models</a> lists the models, <a href="/health">/health</a> shows the server's
state. <code>llm logs</code> shows the prompts and answers.</p>
</html>
"""
TEXT = """llm-gpt-oss: OpenAI's API for gpt-oss on this machine.

Set OPENAI_BASE_URL={base}/v1 in an app, and any OPENAI_API_KEY.
{base}/v1/models lists the models, {base}/health shows the server's state.
`llm logs` shows the prompts and answers.
"""
# The page loads nothing, so nothing may be loaded.
HTML_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
    "Vary": "Accept",
}


@router.get("/")
async def home(request: Request) -> Response:
    base = str(request.base_url).rstrip("/")
    if "text/html" in request.headers.get("accept", ""):
        return HTMLResponse(PAGE.format(base=escape(base)), headers=HTML_HEADERS)
    return PlainTextResponse(TEXT.format(base=base), headers={"Vary": "Accept"})
