"Two apps with the same folder are as two workers. `test_processes.py` starts real ones."

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from support.proxied_engine import HELLO, Proxied, proxied
from support.scraped import Scraped
from support.scripted_engine import AsyncScriptedEngine, HeldEngine

from proxy.api import metrics as metrics_route
from proxy.metrics.workers import MAX_AGE


@asynccontextmanager
async def worker(folder: Path, *script: str) -> AsyncIterator[Proxied]:
    async with proxied(AsyncScriptedEngine(*script), workers_folder=folder) as proxy:
        yield proxy


async def scrape(proxy: Proxied) -> Scraped:
    return Scraped((await proxy.get("/metrics")).text)


async def wait_for_value(proxy: Proxied, name: str, value: float) -> None:
    while (await scrape(proxy))(name) != value:  # noqa: ASYNC110 - another worker publishes it
        await asyncio.sleep(0.01)


async def test_one_scrape_has_the_sum(tmp_path: Path) -> None:
    async with worker(tmp_path, HELLO) as one, worker(tmp_path, HELLO, HELLO) as two:
        await one.chat(user="Hi")
        await scrape(one)
        await two.chat(user="Hi")
        await two.chat(user="Ho")
        metrics = await scrape(two)
    assert metrics("gpt_oss_turns_total", status="200") == 3
    assert metrics("gpt_oss_turn_duration_seconds_count") == 3
    assert metrics("gpt_oss_turn_duration_seconds_bucket", le="+Inf") == 3
    assert metrics("gpt_oss_engine_up") == 0
    assert metrics("gpt_oss_build_info") == 1
    assert not any(name.endswith("_created") for name in metrics.names)


async def test_workers_publish_by_themselves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics_route, "PUBLISH_SECONDS", 0.01)
    engine = HeldEngine("<|channel|>", "final", "<|message|>", "Hello")
    async with proxied(engine, workers_folder=tmp_path) as one, worker(tmp_path) as two:
        running = asyncio.ensure_future(one.chat(user="Hi"))
        await engine.silent.wait()
        await wait_for_value(two, "gpt_oss_queue_running", 1)
        engine.go.set()
        await running
        await wait_for_value(two, "gpt_oss_turns_total", 1)
        assert (await scrape(two))("gpt_oss_queue_running") == 0


async def test_what_a_dead_worker_counted_stays(tmp_path: Path) -> None:
    async with worker(tmp_path, HELLO) as one:
        await one.chat(user="Hi")
        async with one.server.queue.slot():
            await scrape(one)
    (file,) = [*tmp_path.glob("*.json")]  # noqa: ASYNC240
    async with worker(tmp_path) as two:
        alive = await scrape(two)
        long_ago = time.time() - MAX_AGE - 1
        os.utime(file, (long_ago, long_ago))
        dead = await scrape(two)
    assert (alive("gpt_oss_queue_running"), dead("gpt_oss_queue_running")) == (1, 0)
    assert alive("gpt_oss_turns_total") == dead("gpt_oss_turns_total") == 1


async def test_a_folder_that_cannot_be_written(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = tmp_path / "folder"
    async with worker(folder, HELLO, HELLO) as proxy:
        await proxy.chat(user="Hi")
        with caplog.at_level(logging.WARNING, "proxy.metrics.workers"):
            assert (await scrape(proxy))("gpt_oss_turns_total") == 1
            assert (await scrape(proxy))("gpt_oss_turns_total") == 1
            warnings = [each for each in caplog.messages if each.startswith("/metrics")]
            assert len(warnings) <= 1  # the task may have met the problem before
            folder.mkdir()
            await scrape(proxy)
            assert len([*folder.glob("*.json")]) == 1
            file = next(folder.glob("*.json"))
            file.unlink()
            folder.rmdir()
            await scrape(proxy)
    assert caplog.messages[-1].startswith("/metrics of other workers lack the numbers of this one: ")
