"The runs as JSON, and their stop at each endpoint. `tests/browser/` has the page."

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.proxied_engine import HELLO, Proxied, proxied
from support.requests import CHAT, MINIMAL
from support.scripted_engine import AsyncScriptedEngine, HeldEngine

from proxy.http import api_keys
from proxy.openapi.others import RunList

REASON = "It was stopped at /live."
HALF = ("<|channel|>", "final", "<|message|>", "Hello", " world")
CASES = {
    "chat": (CHAT, {"messages": MINIMAL["messages"]}),
    "responses": ("/v1/responses", {"input": "Hi"}),
    "messages": ("/v1/messages", {"messages": MINIMAL["messages"], "max_tokens": 9}),
    "completions": ("/v1/completions", {"prompt": "Hi"}),
    "compact": ("/v1/responses/compact", {"input": "Hi"}),
}


async def runs(client: Any) -> list[dict[str, Any]]:
    data: list[dict[str, Any]] = (await client.get("/live/runs")).json()["data"]
    return data


async def running(proxy: Proxied, count: int = 1) -> list[dict[str, Any]]:
    "Wait until so many runs are listed."
    while len(rows := await runs(proxy)) < count:  # noqa: ASYNC110 - there is no event for it
        await asyncio.sleep(0)
    return rows


@asynccontextmanager
async def held(path: str = CHAT, body: Any = MINIMAL, **settings: Any) -> AsyncIterator[tuple[Proxied, Any]]:
    "A proxy with a request whose model has fallen silent after `HALF`, and the task that waits for it."
    engine = HeldEngine(*HALF)
    async with proxied(engine, **settings) as proxy:
        task = asyncio.ensure_future(proxy.post(path, {"model": "gpt-oss:20b", **body}))
        await engine.silent.wait()
        await asyncio.sleep(0)
        yield proxy, task
        engine.go.set()
        await asyncio.wait({task})


async def test_a_run_from_its_beginning_to_its_end() -> None:
    async with held() as (proxy, task):
        (row,) = await running(proxy)
        assert (row["state"], row["text"], row["tokens"]) == ("answering", "Hello world", 5)
        assert (row["app"], row["endpoint"], row["actor"]) == ("python-httpx", CHAT, None)
        assert row["first_token_ms"] >= row["queue_ms"] >= 0
        proxy.engine.go.set()
        await task
        (row,) = await runs(proxy)
        assert (row["state"], row["error"], row["logged"]) == ("done", None, True)
        assert row["seconds"] > 0
        assert row["id"] == proxy.turns()[0]["turn_id"]


async def test_the_rows_are_as_described() -> None:
    async with held() as (proxy, _):
        await running(proxy)
        assert len(RunList.model_validate((await proxy.get("/live/runs")).json()).data) == 1


async def test_a_run_that_waits_is_queued() -> None:
    async with held(max_concurrency=1) as (proxy, _):
        second = asyncio.ensure_future(proxy.chat(user="Hi"))
        rows = await running(proxy, 2)
        assert [row["state"] for row in rows] == ["answering", "queued"]
        assert rows[1]["queue_ms"] is None
        assert (await proxy.post(f"/live/runs/{rows[1]['id']}/stop", None)).json()["stopped"]
        assert (await second).status_code == 499
        assert (proxy.server.queue.running, proxy.server.queue.waiting) == (1, 0)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("path", "body"), CASES.values(), ids=CASES)
async def test_stop(path: str, body: Any, stream: bool) -> None:
    async with held(path, {**body, "stream": stream}) as (proxy, task):
        (row,) = await running(proxy)
        answer = await proxy.post(f"/live/runs/{row['id']}/stop", None)
        assert answer.json() == {"id": row["id"], "object": "run", "stopped": True}
        stopped = await asyncio.wait_for(task, 20)
        (ended,) = await runs(proxy)
        assert (ended["state"], ended["error"]) == ("stopped", REASON)
        (turn,) = proxy.turns()
        assert (turn["status"], turn["error"]) == (499, REASON)
        assert proxy.engine.open == 0
    if stream and path == "/v1/responses":
        last = json.loads(stopped.text.strip().rpartition("data: ")[2])
        assert (last["type"], last["response"]["status"]) == ("response.incomplete", "cancelled")
    elif stream and path != "/v1/responses/compact":
        assert stopped.status_code == 200
        assert REASON in stopped.text.strip().rpartition("data: ")[2]
    else:
        assert stopped.status_code == 499
        assert stopped.headers["x-should-retry"] == "false"
        assert stopped.json()["error"]["message"] == REASON


async def test_a_response_in_the_background_is_cancelled() -> None:
    async with held("/v1/responses", {"input": "Hi", "background": True}) as (proxy, task):
        created = (await task).json()
        (row,) = await running(proxy)
        await proxy.post(f"/live/runs/{row['id']}/stop", None)
        path = f"/v1/responses/{created['id']}"
        while (status := (await proxy.get(path)).json()["status"]) == "in_progress":  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        assert status == "cancelled"


async def test_what_is_not_logged_is_shown_too() -> None:
    async with held(log_policy="off") as (proxy, task):
        (row,) = await running(proxy)
        assert row["logged"] is False
        await proxy.post(f"/live/runs/{row['id']}/stop", None)
        assert (await task).status_code == 499


async def test_a_run_that_has_ended_cannot_be_stopped() -> None:
    async with proxied(AsyncScriptedEngine(HELLO)) as proxy:
        await proxy.chat(user="Hi")
        (row,) = await runs(proxy)
        for run_id in (row["id"], "unknown"):
            answer = await proxy.post(f"/live/runs/{run_id}/stop", None)
            assert answer.status_code == 404
            assert run_id in answer.json()["error"]["message"]


def as_client(proxy: Proxied, key: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(proxy.app), base_url="http://localhost", headers={"x-api-key": key}
    )


async def test_a_key_sees_and_stops_its_own_runs() -> None:
    keys = {name: api_keys.add(name, admin=name == "me") for name in ("app", "other", "me")}
    engine = HeldEngine(*HALF)
    async with (
        proxied(engine) as proxy,
        as_client(proxy, keys["app"]) as app,
        as_client(proxy, keys["other"]) as other,
        as_client(proxy, keys["me"]) as admin,
    ):
        task = asyncio.ensure_future(app.post(CHAT, json=MINIMAL))
        await engine.silent.wait()
        (row,) = await runs(app)
        assert row["actor"].startswith("app:")
        assert await runs(other) == []
        assert [each["id"] for each in await runs(admin)] == [row["id"]]
        stop = f"/live/runs/{row['id']}/stop"
        assert (await other.post(stop)).status_code == 404
        assert not task.done()
        assert (await admin.post(stop)).status_code == 200
        await task
        assert (await runs(app))[0]["error"] == "It was stopped at /live with the key me."


async def test_a_session_stops_from_a_page_of_this_server_only() -> None:
    key = api_keys.add("app")
    async with held_with_key(key) as (proxy, task), as_client(proxy, "") as browser:
        same_origin = {"sec-fetch-site": "same-origin"}
        await browser.post("/login", data={"key": key}, headers=same_origin)
        (row,) = await runs(browser)
        stop = f"/live/runs/{row['id']}/stop"
        for headers in ({}, {"sec-fetch-site": "same-site"}, {"origin": "http://localhost:3000"}):
            assert (await browser.post(stop, headers=headers)).status_code == 401
        assert (await browser.post(stop, headers=same_origin)).status_code == 200
        await task


@asynccontextmanager
async def held_with_key(key: str) -> AsyncIterator[tuple[Proxied, Any]]:
    engine = HeldEngine(*HALF)
    async with proxied(engine) as proxy, as_client(proxy, key) as app:
        task = asyncio.ensure_future(app.post(CHAT, json=MINIMAL))
        await engine.silent.wait()
        yield proxy, task


async def test_other_processes_are_shown_and_stopped(tmp_path: Path) -> None:
    async with held(workers_folder=tmp_path) as (_, task), proxied(workers_folder=tmp_path) as two:
        (row,) = await runs(two)
        assert row["state"] == "answering"
        assert (await two.post(f"/live/runs/{row['id']}/stop", None)).status_code == 200
        assert (await task).status_code == 499
        assert [each["state"] for each in await runs(two)] == ["stopped"]
        assert (await two.post(f"/live/runs/{row['id']}/stop", None)).status_code == 404


@pytest.mark.parametrize(
    ("path", "media_type"),
    [("/live", "text/html"), ("/live/live.css", "text/css"), ("/live/live.js", "text/javascript")],
)
async def test_files_of_the_page(path: str, media_type: str) -> None:
    async with proxied() as proxy:
        answer = await proxy.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith(media_type)
    assert "'unsafe" not in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"] == "no-store"
