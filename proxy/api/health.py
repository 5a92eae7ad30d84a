"""`GET /health`, for probes; `GET /`, for a person who opens the address in a browser."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from importlib.metadata import version
from typing import Any, Literal

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response

from ..state import ProxyState, StateDep

router = APIRouter()

EngineState = Literal["unreachable", "no model", "loading", "ready"]


@dataclass(frozen=True, slots=True)
class EngineHealth:
    """The state of the default model's engine.

    `ready`: the model will answer, though it may have to be loaded first. `loading`: it is not loaded yet,
    and a client waits for it. `loaded` is whether it is in memory.
    """

    state: EngineState
    loaded: bool = False


async def engine_health(state: ProxyState) -> EngineHealth:
    "Ask the default model's engine, or take what it reported a moment ago."
    status = await state.model_status(state.settings.model)
    if status is None or status.version is None:
        return EngineHealth("unreachable")
    if status.problem:
        return EngineHealth("no model")
    if status.loaded:
        return EngineHealth("ready", loaded=True)
    return EngineHealth("loading" if state.queue.running else "ready")


@router.get("/health")
async def health(request: Request, state: StateDep, ready: str | None = None) -> JSONResponse:
    """200 if the server itself works. With `?ready=1`, 503 if a prompt would fail.

    `problems` are those of the log. They do not keep prompts from being answered.
    """
    engine = await engine_health(state)
    queue = state.queue
    is_ready = engine.state in ("ready", "loading") and not queue.is_full
    writer = state.turn_logging.writer_for(request.headers)
    problems = writer.problems() if writer else []
    body: dict[str, Any] = {
        "status": "ok" if is_ready and not problems else "degraded",
        "engine": engine.state,
        "loaded": engine.loaded,
        "model": state.settings.model,
        "queue": {"running": queue.running, "waiting": queue.waiting},
        "log": writer.status if writer else "off",
        "problems": problems,
        "version": version("llm-gpt-oss"),
    }
    failing = ready not in (None, "", "0") and not is_ready
    return JSONResponse(_visible(body, request), 503 if failing else 200, {"Cache-Control": "no-store"})


def _visible(body: dict[str, Any], request: Request) -> dict[str, Any]:
    """Return what the client may see.

    A client without a key sees whether the server works, where a key is needed. Only an admin sees the
    reasons why turns are not logged, which may have paths and ids in them.
    """
    if request.state.admin:
        return body
    if request.state.known:
        shown = {name: value for name, value in body.items() if name != "problems"}
        return {**shown, "log": body["log"].partition(": ")[0]}
    return {name: body[name] for name in ("status", "engine")}


PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>llm-gpt-oss</title>
<style>
:root {{ color-scheme: light dark }}
body {{ background: light-dark(#fff, #15171a); color: light-dark(#1b1d21, #e7e9ec) }}
body {{ font: 1rem/1.5 system-ui, sans-serif; max-width: 40rem; margin: 3rem auto; padding: 0 1rem }}
pre {{ overflow-x: auto; padding: 1rem; border-radius: .5rem; background: light-dark(#f0f1f4, #26292f) }}
a {{ color: light-dark(#0b57d0, #8ab4f8) }}
</style>
<main>
<h1>llm-gpt-oss</h1>
<p>OpenAI's API for gpt-oss on this machine. In an app, set</p>
<pre tabindex="0">OPENAI_BASE_URL={base}/v1
OPENAI_API_KEY=any</pre>
<p><a href="/live">/live</a> shows what the models do at the moment, <a href="/v1/models">/v1/models</a> lists
them, <a href="/health">/health</a> shows the server's state. <code>llm logs</code> shows the prompts and
answers.</p>
</main>
</html>
"""
TEXT = """llm-gpt-oss: OpenAI's API for gpt-oss on this machine.

Set OPENAI_BASE_URL={base}/v1 in an app, and any OPENAI_API_KEY.
{base}/live shows what the models do at the moment, {base}/v1/models lists them, {base}/health shows the
server's state.
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
