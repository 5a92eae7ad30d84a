"`GET /metrics`, for Prometheus."

from __future__ import annotations

import asyncio
from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import Response

from ..metrics.server_metrics import SharedState, WorkerState
from ..metrics.workers import PUBLISH_SECONDS
from ..state import ProxyState, StateDep
from .health import engine_health

router = APIRouter()


@router.get("/metrics")
async def metrics(request: Request, state: StateDep) -> Response:
    engine = await engine_health(state)
    worker = _worker_state(state)

    def render() -> tuple[bytes, str]:
        is_up = engine.state in ("ready", "loading")
        shared = _shared_state(state, engine_up=is_up, model_loaded=engine.loaded)
        return state.metrics.render(worker, shared, request.headers.get("accept", ""))

    # It reads the spool and the files of other workers.
    content, content_type = await asyncio.to_thread(render)
    return Response(content, headers={"Content-Type": content_type, "Cache-Control": "no-store"})


async def publish_regularly(state: ProxyState) -> None:
    "Let other workers know the metrics of this one, if there are others, until the task is cancelled."
    while state.metrics.is_shared:
        await asyncio.to_thread(state.metrics.publish, _worker_state(state))
        await asyncio.sleep(PUBLISH_SECONDS)


def _worker_state(state: ProxyState) -> WorkerState:
    in_memory = len(state.log_writer.spool.in_memory())
    return WorkerState(state.queue.running, state.queue.waiting, in_memory)


def _shared_state(state: ProxyState, *, engine_up: bool, model_loaded: bool) -> SharedState:
    spool = state.log_writer.spool.state()
    return SharedState(
        engine=state.bound_model(state.settings.model).engine,
        model=state.settings.model,
        engine_up=engine_up,
        model_loaded=model_loaded,
        waiting_turns=max(0, spool.waiting - spool.in_memory),
        unusable_files=len(spool.unusable),
        log_problems=len(state.log_writer.problems()),
        log_bytes=_size(state.settings.database),
    )


def _size(file: Path) -> int | None:
    try:
        return file.stat().st_size
    except OSError:
        return None
