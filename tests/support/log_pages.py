"A browser at the pages of the log."

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI


@asynccontextmanager
async def browsing(app: FastAPI, **headers: str) -> AsyncIterator[httpx.AsyncClient]:
    "A browser at `app`, which runs meanwhile."
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(
            transport=httpx.ASGITransport(app),
            base_url="http://testserver",
            headers={"accept": "text/html", **headers},
        ) as client,
    ):
        yield client
