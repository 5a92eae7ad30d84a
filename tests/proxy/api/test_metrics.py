from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from support.proxied_engine import HELLO, Proxied, proxied
from support.scraped import Scraped
from support.scripted_engine import AsyncScriptedEngine, HeldEngine, Part, cut, stopped
from support.scripted_server import Scripted, stream
from support.webserver import WebServer, lines, serving

from llm_gpt_oss.errors import EngineError
from proxy.http import api_keys
from proxy.inference import model_statuses
from proxy.metrics.definitions import METRICS

REASONED = stopped("<|channel|>analysis<|message|>Hm<|end|><|start|>assistant" + HELLO, completion_ms=500.0)
FENCED = "<|channel|>final<|message|>```json\n{}\n```"
SCHEMA = {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object"}}}


async def scrape(proxy: Proxied, **headers: str) -> Scraped:
    response = await proxy.get("/metrics", headers=headers)
    assert response.status_code == 200
    return Scraped(response.text)


async def scraped_after(*script: Part, user: str = "Hi", **fields: Any) -> Scraped:
    async with proxied(AsyncScriptedEngine(*script)) as proxy:
        await proxy.chat(user=user, **fields)
        return await scrape(proxy)


async def test_a_turn() -> None:
    metrics = await scraped_after(REASONED)
    turn = {"endpoint": "/v1/chat/completions", "model": "gpt-oss:20b", "status": "200"}
    assert metrics("gpt_oss_turns_total", **turn) == metrics("gpt_oss_turns_total") == 1
    assert metrics("gpt_oss_tokens_total", kind="prompt") == 100
    assert metrics("gpt_oss_tokens_total", kind="reasoning") == 1
    assert metrics("gpt_oss_tokens_total", kind="answer") == len(REASONED) - 1
    for histogram in (
        "gpt_oss_turn_duration_seconds",
        "gpt_oss_time_to_first_token_seconds",
        "gpt_oss_tokens_per_second",
    ):
        assert metrics(f"{histogram}_count", model="gpt-oss:20b") == 1
    assert metrics("gpt_oss_queue_wait_seconds_count") == 1
    rate = len(REASONED) / 0.5
    assert metrics("gpt_oss_tokens_per_second_sum") == pytest.approx(rate, rel=0.01)
    assert (metrics("gpt_oss_queue_running"), metrics("gpt_oss_queue_waiting")) == (0, 0)


async def test_a_stream_counts_as_one_answer() -> None:
    metrics = await scraped_after(REASONED, stream=True)
    request = {"endpoint": "/v1/chat/completions", "method": "POST", "status": "200"}
    assert metrics("gpt_oss_http_requests_total", **request) == 1
    assert metrics("gpt_oss_turns_total") == 1


async def test_a_turn_that_fails() -> None:
    metrics = await scraped_after(EngineError("It broke.", remedy="Mend it."))
    assert metrics("gpt_oss_turns_total", status="502") == metrics("gpt_oss_turns_total") == 1
    assert metrics("gpt_oss_turn_duration_seconds_count") == 0
    assert metrics("gpt_oss_time_to_first_token_seconds_count") == 0


async def test_notes() -> None:
    none = await scraped_after(HELLO)
    assert (none("gpt_oss_notes_total"), len(none.values("kind")) > 20) == (0, True)
    metrics = await scraped_after(cut(HELLO))
    assert metrics("gpt_oss_notes_total", kind="length") == metrics("gpt_oss_notes_total") == 1


async def test_turns_count_without_the_log() -> None:
    async with proxied(AsyncScriptedEngine(HELLO, HELLO), log_policy="off") as proxy:
        await proxy.chat(user="Hi")
        await proxy.chat(user="Hi", headers={"x-llm-log": "off"})
        assert (await scrape(proxy))("gpt_oss_turns_total", status="200") == 2


async def test_labels_are_bounded() -> None:
    "Neither paths, methods nor names that a client makes up become labels."
    async with proxied(AsyncScriptedEngine()) as proxy:
        for number in range(3):
            await proxy.get(f"/made/up/{number}")
            await proxy.get(f"/v1/responses/resp_{number}")
            await proxy.client.request(f"BREW{number}", "/health")
            await proxy.chat(user="Hi", model=f"made-up-{number}")
            await proxy.client.head("/health")
        metrics = await scrape(proxy)
    requests = "gpt_oss_http_requests_total"
    assert metrics(requests, endpoint="other", method="GET", status="404") == 3
    assert metrics(requests, endpoint="/v1/responses/{response_id}", method="GET", status="404") == 3
    assert metrics(requests, method="other") == 3
    assert metrics(requests, endpoint="/v1/chat/completions", status="404") == 3
    assert metrics(requests, method="HEAD", status="200") == 3
    assert metrics.values("method") == {"GET", "POST", "HEAD", "other"}


async def test_models_that_the_server_does_not_know(monkeypatch: pytest.MonkeyPatch) -> None:
    end = {"message": {"content": "Hello"}, "done": True, "prompt_eval_count": 5, "eval_count": 2}
    with Scripted(stream({"model": "x:latest", **end})) as ollama:
        monkeypatch.setenv("OLLAMA_HOST", ollama.host)
        async with proxied() as proxy:
            await proxy.post("/api/chat", {"model": "x", "messages": [{"role": "user", "content": "Hi"}]})
            metrics = await scrape(proxy)
    assert metrics("gpt_oss_turns_total", endpoint="/api/chat", model="other", status="200") == 1
    assert metrics("gpt_oss_tokens_total", model="other", kind="answer") == 2
    assert metrics("gpt_oss_http_requests_total", endpoint="/api/{path:path}") == 1


async def test_the_queue() -> None:
    engine = HeldEngine("<|channel|>", "final", "<|message|>", "Hello")
    async with proxied(engine, max_concurrency=1) as proxy:
        one = asyncio.ensure_future(proxy.chat(user="Hi"))
        await engine.silent.wait()
        two = asyncio.ensure_future(proxy.chat(user="Hi"))
        while not proxy.server.queue.waiting:  # noqa: ASYNC110 - there is no event for it
            await asyncio.sleep(0)
        metrics = await scrape(proxy)
        assert (metrics("gpt_oss_queue_running"), metrics("gpt_oss_queue_waiting")) == (1, 1)
        engine.go.set()
        await asyncio.gather(one, two)
        assert (await scrape(proxy))("gpt_oss_queue_wait_seconds_count") == 2


async def test_every_metric_is_there() -> None:
    metrics = await scraped_after(REASONED)
    names = {name.removesuffix("_bucket") for name in metrics.names}
    assert {definition.name for definition in METRICS} <= names
    ours = {
        f"{family.name}_total" if family.type == "counter" else family.name for family in metrics.families
    }
    assert {name for name in ours if name.startswith("gpt_oss_")} == {each.name for each in METRICS}
    helps = {family.documentation for family in metrics.families}
    assert {definition.help for definition in METRICS} <= helps
    assert metrics("gpt_oss_build_info") == 1
    assert metrics("process_resident_memory_bytes") > 1_000_000


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        pytest.param("", "text/plain; version=0.0.4; charset=utf-8", id="none"),
        pytest.param("text/html", "text/plain; version=0.0.4; charset=utf-8", id="a browser"),
        pytest.param(
            "application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.4",
            "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=underscores",
            id="Prometheus",
        ),
    ],
)
async def test_content_types(accept: str, content_type: str) -> None:
    async with proxied(AsyncScriptedEngine(HELLO)) as proxy:
        await proxy.chat(user="Hi")
        response = await proxy.get("/metrics", headers={"accept": accept})
    assert response.headers["content-type"] == content_type
    if "openmetrics" in content_type:
        counters = {family.name: family for family in parse_openmetrics(response.text)}
        assert counters["gpt_oss_turns"].samples[0].value == 1
    else:
        assert Scraped(response.text)("gpt_oss_turns_total") == 1


async def test_a_key_is_needed() -> None:
    key = api_keys.add("prometheus")
    async with proxied(AsyncScriptedEngine()) as proxy:
        assert (await proxy.get("/metrics")).status_code == 401
        metrics = await scrape(proxy, authorization=f"Bearer {key}")
    assert metrics("gpt_oss_http_requests_total", endpoint="other", status="401") == 1
    assert not any(
        "prometheus" in value for label in ("endpoint", "model") for value in metrics.values(label)
    )


@pytest.fixture
def ollama(monkeypatch: pytest.MonkeyPatch) -> Iterator[WebServer]:
    with serving() as web:
        tiny = lines({"models": [{"name": "gpt-oss-tiny:latest"}]})
        web.routes |= {"/api/version": lines({"version": "0.33.0"}), "/api/tags": tiny, "/api/ps": tiny}
        web.routes["/api/show"] = lines({"details": {"family": "gptoss"}})
        monkeypatch.setenv("OLLAMA_HOST", web.url)
        monkeypatch.setattr(model_statuses, "TIMEOUT", 60)  # a busy machine is no bug
        yield web


async def test_the_engine(ollama: WebServer) -> None:
    labels = {"engine": "ollama", "model": "gpt-oss-tiny"}
    async with proxied(model="gpt-oss-tiny") as proxy:
        metrics = await scrape(proxy)
    assert metrics("gpt_oss_engine_up", **labels) == 1
    assert metrics("gpt_oss_engine_model_loaded", **labels) == 1
    ollama.routes["/api/tags"] = lines({"models": []})
    async with proxied(model="gpt-oss-tiny") as proxy:
        metrics = await scrape(proxy)
    assert metrics("gpt_oss_engine_up", **labels) == 0
    assert "gpt_oss_engine_up" in metrics.names


async def test_the_log(tmp_path: Path) -> None:
    path = tmp_path / "logs.db"
    async with proxied(AsyncScriptedEngine(HELLO), database=path) as proxy:
        await proxy.chat(user="Hi")
        metrics = await scrape(proxy)
        assert metrics("gpt_oss_log_bytes") == path.stat().st_size
        assert metrics("gpt_oss_log_problems") == 0


async def test_a_log_that_cannot_be_written(tmp_path: Path) -> None:
    path = tmp_path / "logs.db"
    path.write_bytes(b"x" * 9999)
    folder = tmp_path / "logs.db-unlogged"
    (folder / "folder.json").mkdir(parents=True)
    async with proxied(AsyncScriptedEngine(HELLO), database=path) as proxy:
        await proxy.chat(user="Hi")
        metrics = await scrape(proxy)
        assert metrics("gpt_oss_log_waiting_turns") == 1
        assert metrics("gpt_oss_log_memory_turns") == 0
        assert metrics("gpt_oss_log_unusable_files") == 1
        assert metrics("gpt_oss_log_problems") == 3
        path.unlink()
    async with proxied(AsyncScriptedEngine(), database=tmp_path / "missing" / "logs.db") as proxy:
        (tmp_path / "missing" / "logs.db").unlink()
        assert "gpt_oss_log_bytes" not in (await scrape(proxy)).names
