"""The proxy in this process, asked over HTTP; nothing is logged unless `log_policy` says so.

async with asking() as client:
    assert (await client.get("/v1/models")).status_code == 200
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

from llm_gpt_oss.completion import Completion, Done, Piece
from proxy.app import create_app
from proxy.settings import Settings

HELLO = "<|channel|>final<|message|>Hello"
CHAT = "/v1/chat/completions"
MINIMAL: dict[str, Any] = {"model": "gpt-oss:20b", "messages": [{"role": "user", "content": "Hi"}]}


class Greeting:
    "An engine that says hello, however often it is asked; or raises `error`."

    def __init__(self, error: Exception | None = None) -> None:
        self.asked: list[Completion] = []
        self._error = error

    async def complete(self, completion: Completion) -> AsyncGenerator[Piece | Done, None]:
        self.asked.append(completion)
        if self._error:
            raise self._error
        yield Piece(HELLO)
        yield Done("stop", prompt_tokens=1, completion_tokens=1)


def transport(
    engine: Any = None, plugins: Any = (), address: tuple[str, int] = ("127.0.0.1", 8000), **settings: Any
) -> httpx.AsyncBaseTransport:
    "`address` is where the client came to."
    app = create_app(
        Settings(**{"log_policy": "off", **settings}), engine=engine or Greeting(), plugins=plugins
    )

    async def addressed(scope: Any, receive: Any, send: Any) -> None:
        await app({**scope, "server": address}, receive, send)

    return httpx.ASGITransport(addressed, raise_app_exceptions=False)


@asynccontextmanager
async def asking(engine: Any = None, **settings: Any) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(
        transport=transport(engine, **settings), base_url="http://localhost"
    ) as client:
        yield client
