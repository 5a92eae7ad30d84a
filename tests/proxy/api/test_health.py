from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import Request
from support.proxied_engine import HELLO, Proxied, proxied
from support.scripted_engine import AsyncScriptedEngine
from support.scripted_server import HOLD, Refusing, Scripted, answer
from support.webserver import Answer, WebServer, lines, serving

from llm_gpt_oss.completion import AsyncEngine
from proxy.api.health import home
from proxy.inference import model_statuses
from proxy.log.spool import Spool

MODEL = "gpt-oss-tiny"
VERSION = lines({"version": "0.33.0"})
SHOWN = lines({"details": {"family": "gptoss"}})
TINY = lines({"models": [{"name": "gpt-oss-tiny:latest"}]})
NONE = lines({"models": []})


@pytest.fixture
def ollama(monkeypatch: pytest.MonkeyPatch) -> Iterator[WebServer]:
    "An Ollama that has the model on its disk, but not in memory."
    with serving() as web:
        web.routes |= {"/api/version": VERSION, "/api/tags": TINY, "/api/show": SHOWN, "/api/ps": NONE}
        monkeypatch.setenv("OLLAMA_HOST", web.url)
        monkeypatch.setattr(model_statuses, "TIMEOUT", 60)  # a busy machine is no bug
        yield web


async def health_of(query: str = "", engine: AsyncEngine | None = None) -> tuple[int, dict[str, Any]]:
    async with proxied(engine, model=MODEL) as proxy:
        response = await proxy.get(f"/health{query}")
        return response.status_code, response.json()


async def test_ready(ollama: WebServer) -> None:
    status, body = await health_of()
    assert status == 200
    assert body == {
        "status": "ok",
        "engine": "ready",
        "loaded": False,
        "model": MODEL,
        "queue": {"running": 0, "waiting": 0},
        "log": "ok",
        "problems": [],
        "version": body["version"],
    }
    assert body["version"][0].isdigit()


@pytest.mark.parametrize("query", ["", "?ready", "?ready=", "?ready=0"])
async def test_the_server_is_alive_without_ollama(query: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with Refusing() as host:
        monkeypatch.setenv("OLLAMA_HOST", host)
        status, body = await health_of(query)
    assert (status, body["status"], body["engine"]) == (200, "degraded", "unreachable")


@pytest.mark.parametrize(
    ("tags", "ps", "status", "engine", "loaded"),
    [
        pytest.param(TINY, NONE, 200, "ready", False, id="on disk"),
        pytest.param(TINY, TINY, 200, "ready", True, id="in memory"),
        pytest.param(NONE, NONE, 503, "no model", False, id="not pulled"),
    ],
)
async def test_ready_tells_whether_a_prompt_would_be_answered(
    ollama: WebServer, tags: Answer, ps: Answer, status: int, engine: str, loaded: bool
) -> None:
    ollama.routes |= {"/api/tags": tags, "/api/ps": ps}
    response, body = await health_of("?ready=1")
    assert (response, body["engine"], body["loaded"]) == (status, engine, loaded)


async def test_a_model_of_another_family_is_not_ready(ollama: WebServer) -> None:
    ollama.routes["/api/show"] = lines({"details": {"family": "bert"}})
    status, body = await health_of("?ready=1")
    assert (status, body["engine"]) == (503, "no model")


async def test_another_server_at_ollamas_address(monkeypatch: pytest.MonkeyPatch) -> None:
    with Scripted(answer("not found", 404)) as server:
        monkeypatch.setenv("OLLAMA_HOST", server.host)
        status, body = await health_of("?ready=1")
    assert (status, body["engine"]) == (503, "unreachable")


async def test_ollama_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_statuses, "TIMEOUT", 0.05)
    with Scripted((HOLD,)) as server:
        monkeypatch.setenv("OLLAMA_HOST", server.host)
        status, body = await health_of("?ready=1")
    assert (status, body["engine"]) == (503, "unreachable")


async def test_loading(ollama: WebServer) -> None:
    async with proxied(model=MODEL) as proxy, proxy.app.state.proxy.queue.slot():
        response = await proxy.get("/health?ready=1")
    assert (response.status_code, response.json()["engine"]) == (200, "loading")
    assert response.json()["queue"] == {"running": 1, "waiting": 0}


async def test_a_full_queue_is_not_ready(ollama: WebServer) -> None:
    async with proxied(model=MODEL, max_concurrency=1, queue_size=0) as proxy:
        async with proxy.app.state.proxy.queue.slot():
            full = await proxy.get("/health?ready=1")
        free = await proxy.get("/health?ready=1")
    assert (full.status_code, free.status_code) == (503, 200)


async def test_logging_is_off(ollama: WebServer) -> None:
    async with proxied(model=MODEL, log_policy="off") as proxy:
        assert (await proxy.get("/health")).json()["log"] == "off"


async def test_a_log_that_cannot_be_written(ollama: WebServer, tmp_path: Path) -> None:
    "The prompt would be answered all the same."
    path = tmp_path / "logs.db"
    path.write_bytes(b"x" * 9999)
    (Spool(path).folder / "folder.json").mkdir(parents=True)
    async with proxied(AsyncScriptedEngine(HELLO), model=MODEL, database=path) as proxy:
        assert (await proxy.chat(user="Hi")).status_code == 200
    async with proxied(model=MODEL, database=path) as proxy:
        response = await proxy.get("/health?ready=1")
        assert response.status_code == 200
        body = response.json()
        assert (body["status"], body["engine"]) == ("degraded", "ready")
        assert body["log"] == "behind 1, spooling: file is not a database"
        *problems, entries = body["problems"]
        assert problems == [
            "Turns cannot be logged: file is not a database. It is tried again every second.",
            "1 turn waits for the log.",
        ]
        assert entries == (
            "logs.db-unlogged has entries that cannot be logged: folder.json. `llm gpt-oss logs waiting` "
            "says why. `llm gpt-oss logs waiting --retry` tries the turns among them again. Move the "
            "others to another place."
        )
        path.unlink()


async def home_page(proxy: Proxied, **headers: str) -> tuple[str, str]:
    response = await proxy.get("/", headers=headers)
    assert response.status_code == 200
    return response.headers["content-type"].partition(";")[0], response.text


async def test_home() -> None:
    async with proxied() as proxy:
        for accept in ({}, {"accept": "*/*"}, {"accept": "application/json"}):
            kind, text = await home_page(proxy, **accept)
            assert kind == "text/plain"
            assert "OPENAI_BASE_URL=http://localhost/v1" in text


async def test_home_in_a_browser() -> None:
    async with proxied() as proxy:
        kind, text = await home_page(proxy, accept="text/html,application/xhtml+xml,*/*;q=0.8")
        policy = (await proxy.get("/", headers={"accept": "text/html"})).headers["content-security-policy"]
    assert kind == "text/html"
    assert "OPENAI_BASE_URL=http://localhost/v1" in text
    assert "<script" not in text
    assert policy == "default-src 'none'; style-src 'unsafe-inline'"


async def test_the_address_is_escaped() -> None:
    headers = [(b"accept", b"text/html"), (b"host", b"localhost")]
    scope = {"type": "http", "scheme": "http", "path": "/", "root_path": "/<b>", "headers": headers}
    response = await home(Request({**scope, "query_string": b""}))
    assert b"/&lt;b&gt;/v1" in bytes(response.body)
