"""The proxy over an engine that a test scripts, its log in a real file.

async with proxied(path, "<|channel|>final<|message|>Hello") as proxy:
    answer = await proxy.chat(user="Hi")
    assert proxy.rows("select status from gpt_oss_requests") == [(200,)]
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from scripted_engine import AsyncScriptedEngine, Part

from llm_gpt_oss.completion import AsyncEngine, Completion, Done, Piece
from proxy.app import create_app
from proxy.server import Server
from proxy.settings import Settings

HELLO = "<|channel|>final<|message|>Hello"


class HeldEngine:
    "Says `text`, then nothing more until `go` is set. `silent` is set once it waits."

    def __init__(self, *text: str) -> None:
        self._text = text
        self.go = asyncio.Event()
        self.silent = asyncio.Event()
        self.open = 0
        self.asked = 0

    async def complete(self, completion: Completion) -> AsyncGenerator[Piece | Done, None]:
        self.asked += 1
        self.open += 1
        try:
            for text in self._text:
                yield Piece(text)
            self.silent.set()
            await self.go.wait()
            yield Done("stop", prompt_tokens=1, completion_tokens=1)
        finally:
            self.open -= 1


class Proxy:
    def __init__(self, server: Server, client: httpx.AsyncClient, engine: Any) -> None:
        self.server = server
        self.client = client
        self.engine = engine

    async def chat(
        self, *messages: dict[str, Any], user: str | None = None, headers: Any = None, **fields: Any
    ) -> Any:
        said = [*messages, *([{"role": "user", "content": user}] if user else [])]
        body = {"model": "gpt-oss:20b", "messages": said, **fields}
        return await self.client.post("/v1/chat/completions", json=body, headers=headers)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with sqlite3.connect(self.server.settings.database) as database:
            rows = database.execute(sql).fetchall()
        database.close()
        return rows


@asynccontextmanager
async def proxied(
    path: Path,
    *script: Part,
    engine: AsyncEngine | None = None,
    plugins: Sequence[object] = (),
    **settings: Any,
) -> AsyncIterator[Proxy]:
    engine = engine or AsyncScriptedEngine(*script)
    app = create_app(Settings(database=path, **settings), engine=engine, plugins=plugins)
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://localhost") as client,
    ):
        yield Proxy(app.state.server, client, engine)
