"What a browser needs before a page of another origin may send requests and read answers."

from __future__ import annotations

from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket
from support.requests import CHAT, MINIMAL, asking

from proxy.hookspecs import hookimpl
from proxy.http.cors import Cors
from proxy.http.trusted_origins import TrustedOrigins
from proxy.key_hash import hash_key

APP = "https://app.example"
LOCAL = "http://localhost:3000"
EVIL = "https://evil.example"
ASKED = "authorization,content-type,x-stainless-lang"
PREFLIGHT = {"access-control-request-method": "POST", "access-control-request-headers": ASKED}


async def preflight(origin: str, headers: dict[str, str] = PREFLIGHT, **settings: Any) -> httpx.Response:
    async with asking(**settings) as client:
        return await client.options(CHAT, headers={"origin": origin, **headers})


@pytest.mark.parametrize("origin", [LOCAL, "app://obsidian.md", "file://"])
@pytest.mark.parametrize("key_hash", [None, "0" * 64])
async def test_preflight_without_a_flag(origin: str, key_hash: str | None) -> None:
    answer = await preflight(origin, key_hash=key_hash)
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == origin
    assert answer.headers["access-control-allow-methods"] == "POST"
    assert answer.headers["access-control-allow-headers"] == ASKED
    assert answer.headers["access-control-max-age"] == "600"
    assert answer.headers["vary"] == "Origin"
    assert "access-control-allow-private-network" not in answer.headers
    assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [(APP, APP), (APP, "*"), ("null", "null"), ("chrome-extension://abc", "chrome-extension://*")],
)
async def test_preflight_with_a_flag(origin: str, allowed: str) -> None:
    answer = await preflight(origin, cors_origins=(allowed,))
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, origin)


@pytest.mark.parametrize("key_hash", [None, "0" * 64])
async def test_preflight_of_another_origin(key_hash: str | None) -> None:
    answer = await preflight(EVIL, cors_origins=(APP,), key_hash=key_hash)
    assert answer.status_code == 403
    assert f"--cors-origin {EVIL}" in answer.json()["error"]["message"]
    assert not [name for name in answer.headers if name.startswith("access-control")]


async def test_preflight_of_a_public_page() -> None:
    headers = {"access-control-request-method": "GET", "access-control-request-private-network": "true"}
    answer = await preflight(APP, headers, cors_origins=(APP,))
    assert answer.headers["access-control-allow-private-network"] == "true"
    assert "access-control-allow-headers" not in answer.headers


async def test_options_without_a_question_is_no_preflight() -> None:
    assert (await preflight(LOCAL, {})).status_code == 204


class Failing:
    "A plugin with a route that fails."

    @hookimpl
    def register_routes(self, app: FastAPI) -> None:
        @app.get("/fails")
        async def fails() -> None:
            raise ZeroDivisionError


@pytest.mark.parametrize(
    ("method", "path", "headers", "settings", "code"),
    [
        pytest.param("GET", "/v1/models", {}, {}, 200, id="answer"),
        pytest.param("POST", CHAT, {}, {}, 400, id="invalid"),
        pytest.param("GET", "/v1/models", {}, {"key_hash": "0" * 64}, 401, id="no key"),
        pytest.param("GET", "/v1/models", {"host": "evil.example"}, {}, 403, id="host"),
        pytest.param("GET", "/v1/nothing", {}, {}, 404, id="path"),
        pytest.param("PATCH", "/v1/models", {}, {}, 405, id="method"),
        pytest.param("GET", "/fails", {}, {"plugins": [Failing()]}, 500, id="internal error"),
    ],
)
async def test_trusted_pages_can_read_answers_and_errors(
    method: str, path: str, headers: dict[str, str], settings: dict[str, Any], code: int
) -> None:
    async with asking(**settings) as client:
        answer = await client.request(method, path, headers={"origin": LOCAL, **headers})
    assert answer.status_code == code
    assert answer.headers["access-control-allow-origin"] == LOCAL
    assert "Origin" in answer.headers["vary"]
    exposed = answer.headers["access-control-expose-headers"].split(", ")
    assert {"x-request-id", "openai-processing-ms", "openai-version"} <= {*exposed}
    assert ("x-should-retry" in exposed) == ("x-should-retry" in answer.headers)
    assert not {"content-type", "vary"} & {*exposed}


async def test_streams_can_be_read() -> None:
    async with asking() as client:
        body = {**MINIMAL, "stream": True}
        answer = await client.post(CHAT, json=body, headers={"origin": LOCAL})
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["access-control-allow-origin"] == LOCAL
    assert answer.text.endswith("data: [DONE]\n\n")


@pytest.mark.parametrize("headers", [{}, {"origin": EVIL}])
async def test_other_pages_cannot_read(headers: dict[str, str]) -> None:
    sent = {**headers, "authorization": "Bearer sesame"}
    async with asking(key_hash=hash_key("sesame"), cors_origins=(APP,)) as client:
        answer = await client.get("/v1/models", headers=sent)
    assert (answer.status_code, answer.headers["vary"]) == (200, "Origin")
    assert not [name for name in answer.headers if name.startswith("access-control")]


async def test_the_answer_varies_by_all_that_it_depends_on() -> None:
    async with asking() as client:
        assert (await client.get("/")).headers["vary"] == "Accept, Origin"


def test_websockets_pass() -> None:
    async def accept(socket: WebSocket) -> None:
        await socket.accept()
        await socket.close()

    routes = [WebSocketRoute("/", accept)]
    app = Starlette(routes=routes, middleware=[Middleware(Cors, origins=TrustedOrigins(()))])
    with TestClient(app).websocket_connect("/", headers={"origin": LOCAL}) as socket:
        assert "access-control-allow-origin" not in dict(socket.extra_headers or ())
