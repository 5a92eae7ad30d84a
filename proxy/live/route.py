"""`/live`: a page that shows model calls while they run. `/live/runs` is the same as JSON."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, Response

from ..http import sse
from ..http.errors import ApiError, to_api_error
from ..log.access import Viewer, viewer_of
from ..state import ViewerDep
from .live_runs import LiveRuns, Update

FILES = Path(__file__).parent
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}

# Milliseconds after which a browser connects again.
RETRY = b"retry: 1000\n\n"

router = APIRouter()


@router.get("/live/runs")
async def list_runs(request: Request, viewer: ViewerDep) -> dict[str, Any]:
    "The model calls that run now and those that ended last, in the order in which they began."
    return {"object": "list", "data": await _live_runs(request).rows(viewer)}


@router.post("/live/runs/{run_id}/stop")
async def stop(request: Request, viewer: ViewerDep, run_id: str) -> dict[str, Any]:
    "Stop a model call. Its client gets an error, or the end of a response that is cancelled."
    if not await _live_runs(request).stop(run_id, viewer, _reason(viewer)):
        raise ApiError(404, f"Nothing runs with the id '{run_id[:100]}'.", param="run_id")
    return {"id": run_id, "object": "run", "stopped": True}


async def show(request: Request) -> Response:
    return FileResponse(FILES / "live.html", headers=HEADERS)


async def script(request: Request) -> Response:
    return FileResponse(FILES / "live.js", media_type="text/javascript", headers=HEADERS)


async def style(request: Request) -> Response:
    return FileResponse(FILES / "live.css", headers=HEADERS)


async def follow(request: Request) -> Response:
    "Send the updates for the page as server-sent events. The first one has all rows."
    state = request.app.state.proxy
    viewer = await viewer_of(request, state.plugins)
    live_runs = _live_runs(request)
    updates = live_runs.follow(viewer, request.state.is_authenticated)
    frames = _frames(updates, has_transcripts=viewer.admin and live_runs.has_transcripts)
    return sse.EventStream(frames, _error_frame, state.settings.keep_alive)


async def _frames(
    updates: AsyncGenerator[Update, None], *, has_transcripts: bool
) -> AsyncGenerator[bytes, None]:
    async with aclosing(updates):
        yield RETRY
        first: dict[str, Any] = {"all": True, "transcripts": has_transcripts}
        async for update in updates:
            yield sse.data_frame({**first, **update})
            first = {}


def _error_frame(error: Exception) -> bytes:
    return sse.named_frame({"type": "problem", "message": to_api_error(error).message})


def _live_runs(request: Request) -> LiveRuns:
    live_runs: LiveRuns = request.app.state.live_runs
    return live_runs


def _reason(viewer: Viewer) -> str:
    name = (viewer.actor or "").partition(":")[0]
    return f"It was stopped at /live with the key {name}." if name else "It was stopped at /live."


# The page is not a part of the API, so these routes are not in its description.
router.add_route("/live", show, ["GET"])
router.add_route("/live/live.css", style, ["GET"])
router.add_route("/live/live.js", script, ["GET"])
router.add_route("/live/events", follow, ["GET"])
