"""The floor: a server that only forwards the bytes of Ollama, with the same libraries as the proxy.

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

ollama = httpx.AsyncClient(base_url=sys.argv[2], timeout=60)


async def generate(request: Request) -> StreamingResponse:
    forwarded = ollama.build_request("POST", "/api/generate", content=await request.body())
    response = await ollama.send(forwarded, stream=True)

    async def body() -> AsyncIterator[bytes]:
        async for data in response.aiter_raw():
            yield data
        await response.aclose()

    return StreamingResponse(body(), response.status_code, media_type="application/x-ndjson")


async def health(request: Request) -> Response:
    return Response()


if __name__ == "__main__":
    routes = [Route("/api/generate", generate, methods=["POST"]), Route("/health", health)]
    uvicorn.run(Starlette(routes=routes), port=int(sys.argv[1]), log_level="warning")
