"""The least that a proxy in Python can do with the same libraries: Ollama's bytes, passed on as they come.

python floor.py PORT UPSTREAM
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

http = httpx.AsyncClient(base_url=sys.argv[2], timeout=60)


async def generate(request: Request) -> StreamingResponse:
    asked = http.build_request("POST", "/api/generate", content=await request.body())
    answer = await http.send(asked, stream=True)

    async def body() -> AsyncIterator[bytes]:
        async for data in answer.aiter_raw():
            yield data
        await answer.aclose()

    return StreamingResponse(body(), answer.status_code, media_type="application/x-ndjson")


async def up(request: Request) -> Response:
    return Response()


if __name__ == "__main__":
    routes = [Route("/api/generate", generate, methods=["POST"]), Route("/health", up)]
    uvicorn.run(Starlette(routes=routes), port=int(sys.argv[1]), log_level="warning")
