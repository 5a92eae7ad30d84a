"""`GET /health`, for probes; `GET /`, for a person who opens the address in a browser."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from importlib.metadata import version
from typing import Any, Literal

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response

from llm_gpt_oss.catalog.binding import DEFAULT_ENGINE, BoundModel
from llm_gpt_oss.catalog.tags import same_model
from llm_gpt_oss.engines.http.client import AsyncClient
from llm_gpt_oss.engines.ollama.answers import ModelInfo, RunningModel
from llm_gpt_oss.engines.ollama.endpoint import ollama_endpoint
from llm_gpt_oss.engines.ollama.requests import ps, tags
from llm_gpt_oss.engines.registered import get_provider
from llm_gpt_oss.errors import GptOssError

from ..ollama_server import upstream
from ..state import ProxyState, server_of

router = APIRouter()

State = Literal["unreachable", "no model", "loading", "ready"]

# Seconds: how long Ollama may take to say how it is, and how long that holds.
PATIENCE = 1.0
FRESH = 1.0


@dataclass(frozen=True, slots=True)
class Engine:
    """The engine of the model that this server is for.

    `ready` is a model that will answer, if it has to be loaded first; `loaded` says whether it is in memory.
    `loading` is that it is not, though somebody waits for an answer.
    """

    state: State
    loaded: bool = False


class Probe:
    "Asks the engine how it is, once for all who ask within a second."

    def __init__(self, server: ProxyState, clock: Callable[[], float] = time.monotonic) -> None:
        self._server = server
        self._clock = clock
        self._lock = asyncio.Lock()
        self._seen: tuple[float, Engine] | None = None

    async def engine(self) -> Engine:
        async with self._lock:
            if self._seen is None or self._clock() - self._seen[0] >= FRESH:
                engine = await self._ask()
                self._seen = self._clock(), engine
            return self._seen[1]

    async def _ask(self) -> Engine:
        model = self._server.settings.model
        if (hosted := self._server.bound_model(model)).engine != DEFAULT_ENGINE:
            return await self._elsewhere(hosted)
        try:
            pulled, running = await asyncio.wait_for(self._models(), PATIENCE)
        except (GptOssError, asyncio.TimeoutError):
            return Engine("unreachable")
        if any(same_model(each.name, model) for each in running):
            return Engine("ready", loaded=True)
        if not any(same_model(each.name, model) for each in pulled):
            return Engine("no model")
        return Engine("loading" if self._server.queue.running else "ready")

    async def _elsewhere(self, model: BoundModel) -> Engine:
        "Another engine, which is asked in a thread: it may read files, or wait for a server."
        asked = asyncio.to_thread(lambda: get_provider(model.engine).model_status(model, model.api_key()))
        try:
            seen = await asyncio.wait_for(asked, PATIENCE)
        except (GptOssError, asyncio.TimeoutError):
            return Engine("unreachable")
        if seen.problem:
            return Engine("no model" if seen.version and not seen.installed else "unreachable")
        return Engine("ready", loaded=seen.loaded)

    async def _models(self) -> tuple[list[ModelInfo], list[RunningModel]]:
        "On its disk, and in its memory."
        async with AsyncClient(ollama_endpoint(upstream(self._server))) as client:
            return await asyncio.gather(client.send(tags()), client.send(ps()))


@router.get("/health")
async def health(http: Request, ready: str | None = None) -> JSONResponse:
    "200 as long as this server itself answers. With `?ready=1`, 503 where a prompt would fail."
    server = server_of(http)
    probe: Probe = http.app.state.probe
    engine = await probe.engine()
    queue = server.queue
    is_ready = engine.state in ("ready", "loading") and not queue.is_full
    body: dict[str, Any] = {
        "status": "ok" if is_ready else "degraded",
        "engine": engine.state,
        "loaded": engine.loaded,
        "model": server.settings.model,
        "queue": {"running": queue.running, "waiting": queue.waiting},
        "log": server.log_writer.status if server.writer_for(http) else "off",
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
<p>OpenAI's endpoints for gpt-oss on this machine. In an app, set</p>
<pre>OPENAI_BASE_URL={base}/v1
OPENAI_API_KEY=any</pre>
<p><a href="/v1/models">/v1/models</a> lists the models, <a href="/health">/health</a> says how it goes.
What apps ask is in <code>llm logs</code>.</p>
</html>
"""
TEXT = """llm-gpt-oss: OpenAI's endpoints for gpt-oss on this machine.

Set OPENAI_BASE_URL={base}/v1 in an app, and any OPENAI_API_KEY.
{base}/v1/models lists the models, {base}/health says how it goes.
What apps ask is in `llm logs`.
"""
# The page needs nothing from anywhere, so nothing may come.
CLOSED = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'", "Vary": "Accept"}


@router.get("/")
async def home(http: Request) -> Response:
    base = str(http.base_url).rstrip("/")
    if "text/html" in http.headers.get("accept", ""):
        return HTMLResponse(PAGE.format(base=escape(base)), headers=CLOSED)
    return PlainTextResponse(TEXT.format(base=base), headers={"Vary": "Accept"})
