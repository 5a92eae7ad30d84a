"""Run the proxy in this process, with an engine that the test scripts.

async with proxied(AsyncScriptedEngine(HELLO)) as proxy:
    answer = await proxy.chat(user="Hi")
    assert [turn["status"] for turn in proxy.turns()] == [200]
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any

import httpx
import sqlite_utils
from fastapi import FastAPI

from llm_gpt_oss.completion import AsyncEngine
from proxy.app import create_app
from proxy.log.ids import new_id
from proxy.settings import Settings
from proxy.state import ProxyState

HELLO = "<|channel|>final<|message|>Hello"


@dataclass(frozen=True)
class Proxied:
    app: FastAPI
    client: httpx.AsyncClient
    engine: Any

    @property
    def server(self) -> ProxyState:
        server: ProxyState = self.app.state.proxy
        return server

    async def get(self, path: str, **options: Any) -> httpx.Response:
        return await self.client.get(path, **options)

    async def post(self, path: str, body: Any, **options: Any) -> httpx.Response:
        return await self.client.post(path, json=body, **options)

    async def chat(
        self, *messages: dict[str, Any], user: str | None = None, headers: Any = None, **fields: Any
    ) -> httpx.Response:
        question = [{"role": "user", "content": user}] if user else []
        body = {"model": "gpt-oss:20b", "messages": [*messages, *question], **fields}
        return await self.post("/v1/chat/completions", body, headers=headers)

    def turns(self) -> list[dict[str, Any]]:
        "The logged turns with the columns of their requests, oldest first."
        with sqlite_utils.Database(self.server.settings.database) as log:
            return list(
                log.query("select * from turns join gpt_oss_requests on turn_id = turns.id order by turns.id")
            )

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with sqlite_utils.Database(self.server.settings.database) as log:
            return log.execute(sql).fetchall()


# The start of a ULID with the time 1,700,000,000 seconds.
TURN = "01hf7yat00"


def counting_ids() -> Callable[[], str]:
    numbers = count(1)
    return lambda: f"{TURN}{next(numbers):016d}"


@asynccontextmanager
async def proxied(
    engine: AsyncEngine | None = None,
    plugins: Sequence[object] = (),
    new_id: Callable[[], str] = new_id,
    **settings: Any,
) -> AsyncIterator[Proxied]:
    app = create_app(Settings(**settings), engine=engine, new_id=new_id, plugins=plugins)
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://localhost") as client,
    ):
        yield Proxied(app, client, engine)
