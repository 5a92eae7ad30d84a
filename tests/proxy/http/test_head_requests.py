from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from fastapi import FastAPI, Response
from support.requests import asking

from proxy.hookspecs import hookimpl
from proxy.http.sse import EventStream


@pytest.mark.parametrize("path", ["/v1/models", "/v1/models/gpt-oss:20b", "/v1/models/none", "/models"])
async def test_head_is_get_without_the_body(path: str) -> None:
    async with asking() as client:
        get, head = await client.get(path), await client.head(path)
    assert (head.status_code, head.content) == (get.status_code, b"")
    assert head.headers["content-length"] == str(len(get.content))
    assert head.headers["content-type"] == get.headers["content-type"]
    assert head.headers["x-request-id"]


@pytest.mark.parametrize(("path", "status"), [("/v1/nothing", 404), ("/v1/completions", 405)])
async def test_no_route(path: str, status: int) -> None:
    async with asking() as client:
        answer = await client.head(path)
    assert (answer.status_code, answer.content) == (status, b"")


class Routes:
    closed = False

    @hookimpl
    def register_routes(self, app: FastAPI) -> None:
        async def frames() -> AsyncGenerator[bytes, None]:
            try:
                yield b"data: 1\n\n"
                await asyncio.Event().wait()
            finally:
                self.closed = True

        @app.get("/endless", response_model=None)
        async def endless() -> Response:
            return EventStream(frames(), lambda error: b"", keep_alive=60)

        @app.get("/own")
        async def get() -> None: ...

        @app.head("/own")
        async def head() -> Response:
            return Response(status_code=204)


async def test_a_stream_ends_after_its_headers() -> None:
    routes = Routes()
    async with asking(plugins=[routes]) as client:
        answer = await client.head("/endless")
    assert (answer.status_code, answer.content, routes.closed) == (200, b"", True)
    assert answer.headers["content-type"].startswith("text/event-stream")


async def test_a_route_of_its_own_for_head() -> None:
    async with asking(plugins=[Routes()]) as client:
        assert (await client.head("/own")).status_code == 204


async def test_methods_that_are_allowed() -> None:
    async with asking() as client:
        for method in ("PUT", "OPTIONS"):
            answers = [
                await client.request(method, path)
                for path in ("/v1/chat/completions", "/v1/embeddings", "/v1/models", "/health")
            ]
            assert [answer.headers["allow"] for answer in answers] == [
                "GET, HEAD, POST",
                "POST",
                "GET, HEAD",
                "GET, HEAD",
            ]
            assert {answer.status_code for answer in answers} == {204 if method == "OPTIONS" else 405}
        assert (await client.options("/v1/nothing")).status_code == 404
        rejected: dict[str, Any] = (await client.delete("/v1/chat/completions")).json()["error"]
    assert rejected["message"] == "Not allowed: DELETE /v1/chat/completions. Use GET or HEAD or POST."
