"""The proxy in this process, with an engine that a test scripts.

async with proxied(AsyncScriptedEngine("Hello")) as proxy:
    answer = await proxy.post("/v1/completions", {"model": "gpt-oss", "prompt": "Hi"})
    assert [turn["status"] for turn in proxy.turns()] == [200]
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any

import httpx
import sqlite_utils
from fastapi import FastAPI

from llm_gpt_oss.completion import AsyncEngine
from proxy.app import create_app
from proxy.settings import Settings


@dataclass(frozen=True)
class Proxied:
    app: FastAPI
    client: httpx.AsyncClient

    async def get(self, path: str, **given: Any) -> httpx.Response:
        return await self.client.get(path, **given)

    async def post(self, path: str, body: Any, **given: Any) -> httpx.Response:
        return await self.client.post(path, json=body, **given)

    def turns(self) -> list[dict[str, Any]]:
        "What is logged, with what is kept of the request beside each turn; oldest first."
        with sqlite_utils.Database(self.app.state.server.settings.database) as log:
            return list(
                log.query("select * from turns join gpt_oss_requests on turn_id = turns.id order by turns.id")
            )


# A ULID of 1,700,000,000 seconds.
TURN = "01hf7yat00"


def counting_ids() -> Callable[[], str]:
    numbers = count(1)
    return lambda: f"{TURN}{next(numbers):016d}"


@asynccontextmanager
async def proxied(engine: AsyncEngine | None = None, **settings: Any) -> AsyncIterator[Proxied]:
    app = create_app(Settings(**settings), engine=engine, new_id=counting_ids())
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://localhost") as client,
    ):
        yield Proxied(app, client)
