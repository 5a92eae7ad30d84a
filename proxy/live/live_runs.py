"""The runs of all processes of a server that a client may see: list them, follow them, stop one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import Any, TypedDict

from ..http.errors import SERVER, ApiError
from ..http.server_stop import ServerStop
from ..inference.active_runs import ENDED, ActiveRuns, Row
from ..log.access import Viewer
from .worker_sockets import WorkerSockets

# Seconds between two updates for a follower while something runs.
TICK = 0.2
# Seconds between two updates while nothing runs. Other processes do not announce what they do.
IDLE = 1.0
# Seconds that another process has to answer whether it stopped a run.
STOP_PATIENCE = 20.0
# How many clients may follow in each process. A browser opens up to six connections to a server.
MAX_FOLLOWERS = 32


class Update(TypedDict):
    "What changed: `rows` are new or different. `gone` are the ids of runs whose process died."

    rows: list[Row]
    gone: list[str]


class LiveRuns:
    """The runs of this process (`runs`) and, through `sockets`, of the others.

    When the server stops, `stop` ends all followers. `has_transcripts` is whether `/logs` can show a turn.
    """

    def __init__(
        self, runs: ActiveRuns, sockets: WorkerSockets, stop: ServerStop, *, has_transcripts: bool = False
    ) -> None:
        self.has_transcripts = has_transcripts
        self._runs = runs
        self._sockets = sockets
        self._stop = stop
        self._followers = 0

    async def open(self) -> None:
        "Begin to answer questions of the other processes."
        await self._sockets.open(self._answer)

    async def close(self) -> None:
        await self._sockets.close()

    async def rows(self, viewer: Viewer) -> list[Row]:
        "Return the runs that the viewer may see, the latest last."
        answers = await self._sockets.ask({"do": "rows"})
        rows = [*self._runs.rows(), *(row for answer in answers for row in answer)]
        visible = [row for row in rows if viewer.can_see(row["actor"])]
        return sorted(visible, key=lambda row: row["started"])

    async def stop(self, run_id: str, viewer: Viewer, reason: str) -> bool:
        "Stop a run in any process. Return False if the viewer can see no run with this id."
        question = {"do": "stop", "id": run_id, "actor": viewer.actor, "admin": viewer.admin, "why": reason}
        return await self._answer(question) or any(await self._sockets.ask(question, STOP_PATIENCE))

    async def follow(self, viewer: Viewer, is_allowed: Callable[[], bool]) -> AsyncGenerator[Update, None]:
        """Yield all rows, and then each change, until the server stops or `is_allowed` returns False.

        Raises ApiError if too many clients follow already.
        """
        if self._followers >= MAX_FOLLOWERS:
            message = f"{MAX_FOLLOWERS} pages follow already. Close one, and try again."
            raise ApiError(503, message, SERVER, "too_many_followers", headers={"Retry-After": "10"})
        self._followers += 1
        try:
            shown: dict[str, Row] | None = None
            while is_allowed() and not self._stop.began.is_set():
                changed = self._runs.changed
                rows = {row["id"]: row for row in await self.rows(viewer)}
                if update := _update(shown, rows):
                    yield update
                shown = rows
                await asyncio.sleep(TICK)
                if all(row["state"] in ENDED for row in rows.values()):
                    await self._wait(changed)
        finally:
            self._followers -= 1

    async def _wait(self, changed: asyncio.Event) -> None:
        "Wait until something changes in this process, the server stops, or IDLE seconds have passed."
        events = (changed, self._stop.began)
        waits = [asyncio.ensure_future(event.wait()) for event in events]
        try:
            await asyncio.wait(waits, timeout=IDLE, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
            await asyncio.wait(waits)

    async def _answer(self, question: dict[str, Any]) -> Any:
        "Answer what another process asks: its rows, or whether it stopped a run."
        match question:
            case {"do": "rows"}:
                return self._runs.rows()
            case {"do": "stop", "id": str(run_id), "actor": actor, "admin": admin, "why": str(reason)}:
                run = self._runs.get(run_id)
                if run is None or not Viewer(actor, admin).can_see(run.head["actor"]):
                    return False
                run.stop(reason)
                return True
        return None


def _update(shown: dict[str, Row] | None, rows: dict[str, Row]) -> Update | None:
    "Return what differs from `shown`, or None if nothing does. Before the first update, `shown` is None."
    if shown is None:
        return {"rows": [*rows.values()], "gone": []}
    changed = [row for run_id, row in rows.items() if shown.get(run_id) != row]
    gone = [run_id for run_id, row in shown.items() if run_id not in rows and row["state"] not in ENDED]
    return {"rows": changed, "gone": gone} if changed or gone else None
