from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
from support.logged_turns import user

from llm_gpt_oss.turn.progress import Progress
from proxy.generation import GenerationRequest
from proxy.http.errors import ApiError
from proxy.http.server_stop import ServerStop
from proxy.inference.active_runs import ActiveRun, ActiveRuns
from proxy.live import live_runs
from proxy.live.live_runs import MAX_FOLLOWERS, LiveRuns, Update
from proxy.live.worker_sockets import WorkerSockets
from proxy.log.access import Viewer

ADMIN = Viewer(None, admin=True)
GENERATION = GenerationRequest("/v1/responses", "gpt-oss:20b", (user("Hi"),))


class Source:
    is_queued = False
    queue_ms = 0
    first_token_ms = None
    tokens = 0

    def progress(self) -> Progress:
        return Progress(self.tokens)


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_runs, "TICK", 0.001)


def start(runs: ActiveRuns, id: str = "1", source: Any = None, actor: str | None = None) -> ActiveRun:
    return runs.start(source or Source(), id=id, actor=actor, client=None, generation=GENERATION, logged=True)


def alone(runs: ActiveRuns, stop: ServerStop | None = None) -> LiveRuns:
    return LiveRuns(runs, WorkerSockets(None), stop or ServerStop())


def follow(live: LiveRuns, allowed: Any = lambda: True) -> AsyncGenerator[Update, None]:
    return live.follow(ADMIN, allowed)


async def short(update: AsyncGenerator[Update, None]) -> list[tuple[str, str, int]]:
    update_ = await asyncio.wait_for(anext(update), 20)
    return [(row["id"], row["state"], row["tokens"]) for row in update_["rows"]]


async def test_a_follower_gets_everything_and_then_what_changes() -> None:
    runs, source = ActiveRuns(), Source()
    run = start(runs, "1", source)
    async with aclosing(follow(alone(runs))) as updates:
        assert await short(updates) == [("1", "reading", 0)]
        source.tokens = 1
        assert await short(updates) == [("1", "reading", 1)]
        start(runs, "2")
        assert await short(updates) == [("2", "reading", 0)]
        runs.end(run, 200, None)
        assert await short(updates) == [("1", "done", 1)]


async def test_the_first_update_may_be_empty_and_a_new_run_is_sent() -> None:
    runs = ActiveRuns()
    async with aclosing(follow(alone(runs))) as updates:
        assert await short(updates) == []
        next_update = asyncio.ensure_future(short(updates))
        await asyncio.sleep(0.05)
        start(runs)
        assert await next_update == [("1", "reading", 0)]


async def test_a_run_that_ends_between_two_updates() -> None:
    runs = ActiveRuns()
    async with aclosing(follow(alone(runs))) as updates:
        await short(updates)
        runs.end(start(runs), 200, None)
        assert await short(updates) == [("1", "done", 0)]


async def test_a_viewer_sees_its_own_runs() -> None:
    runs = ActiveRuns()
    start(runs, "1", actor="app:1")
    start(runs, "2", actor="other:1")
    live = alone(runs)
    assert [row["id"] for row in await live.rows(Viewer("app:1", admin=False))] == ["1"]
    assert [row["id"] for row in await live.rows(Viewer(None, admin=False))] == []
    assert [row["id"] for row in await live.rows(ADMIN)] == ["1", "2"]


async def test_a_follower_whose_key_is_revoked() -> None:
    runs, source, allowed = ActiveRuns(), Source(), [True]
    start(runs, "1", source)
    async with aclosing(follow(alone(runs), allowed=lambda: allowed[0])) as updates:
        await short(updates)
        allowed[0], source.tokens = False, 9
        with pytest.raises(StopAsyncIteration):
            await short(updates)


async def test_the_stop_of_the_server_ends_what_follows() -> None:
    stop = ServerStop()
    async with aclosing(follow(alone(ActiveRuns(), stop))) as updates:
        await short(updates)
        end = asyncio.ensure_future(short(updates))
        await asyncio.sleep(0.05)
        stop.began.set()
        with pytest.raises(StopAsyncIteration):
            await end


async def test_the_number_of_followers_is_limited() -> None:
    live = alone(ActiveRuns())
    followers = [follow(live) for _ in range(MAX_FOLLOWERS)]
    for each in followers:
        await short(each)
    with pytest.raises(ApiError, match="pages follow already"):
        await short(follow(live))
    await followers[0].aclose()
    async with aclosing(follow(live)) as another:
        assert await short(another) == []
    for each in followers:
        await each.aclose()


async def test_runs_of_a_process_that_ended_are_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_runs, "IDLE", 0.001)
    runs = ActiveRuns()
    here = LiveRuns(ActiveRuns(), WorkerSockets(tmp_path), ServerStop())
    there = LiveRuns(runs, WorkerSockets(tmp_path), ServerStop())
    await here.open()
    await there.open()
    run = start(runs, "ended")
    runs.end(run, 200, None)
    start(runs, "running")
    async with aclosing(follow(here)) as updates:
        assert len(await short(updates)) == 2
        await there.close()
        assert await asyncio.wait_for(anext(updates), 20) == {"rows": [], "gone": ["running"]}
    await here.close()


async def test_an_unknown_question() -> None:
    assert await alone(ActiveRuns())._answer({"do": "dance"}) is None
