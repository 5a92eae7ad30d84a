from __future__ import annotations

import logging
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from fastapi import FastAPI, Request
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import WebSocketRoute
from starlette.testclient import TestClient, WebSocketDenialResponse
from starlette.websockets import WebSocket, WebSocketDisconnect
from support.requests import CHAT, MINIMAL, Greeting, asking, transport

from proxy.app import create_app
from proxy.hookspecs import hookimpl
from proxy.http import api_keys
from proxy.http.api_keys import OUTSIDE as OUTSIDE_ACTOR
from proxy.http.api_keys import KeyRing
from proxy.http.auth import MAX_KEYS, Auth
from proxy.key_hash import hash_key
from proxy.settings import Settings

OUTSIDE = ("192.168.1.5", 8000)


def bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


def bytes_of_files(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.rglob("*") if file.is_file())


class ActorRoute:
    "A plugin with a route that returns the client's actor, without the number of its key."

    @hookimpl
    def register_routes(self, app: FastAPI) -> None:
        @app.get("/who")
        async def who(request: Request) -> Any:
            actor = request.state.actor
            return [actor and actor.partition(":")[0], request.state.admin]


@pytest.mark.parametrize("headers", [{}, bearer("any"), bearer(""), {"authorization": "Basic x"}])
async def test_local_clients_need_no_key_while_there_is_none(headers: dict[str, str]) -> None:
    async with asking(plugins=[ActorRoute()]) as client:
        assert (await client.get("/v1/models", headers=headers)).status_code == 200
        assert (await client.get("/who", headers=headers)).json() == [None, True]


async def test_a_key_is_required_once_there_is_one() -> None:
    key, admin = api_keys.add("app"), api_keys.add("me", admin=True)
    async with asking(plugins=[ActorRoute()]) as client:
        assert (await client.get("/who", headers=bearer(key))).json() == ["app", False]
        assert (await client.get("/who", headers={"authorization": f"bearer  {admin} "})).json() == [
            "me",
            True,
        ]
        for headers in ({}, bearer("sk-oss-wrong"), bearer(hash_key(key)), {"authorization": f"Basic {key}"}):
            for path in ("/v1/models", "/api/tags", "/who", "/nothing", "/openapi.json"):
                assert (await client.get(path, headers=headers)).status_code == 401


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        pytest.param([("api-key", "{me}")], 200, id="Azure's"),
        pytest.param([("x-api-key", " {me} ")], 200, id="Anthropic's"),
        pytest.param([("authorization", "Basic dTpw"), ("x-api-key", "{me}")], 200, id="a login of a proxy"),
        pytest.param([("authorization", "Bearer any"), ("x-api-key", "{me}")], 200, id="the last is valid"),
        pytest.param([("authorization", "Bearer {me}"), ("x-api-key", "any")], 200, id="the first is valid"),
        pytest.param([("authorization", "Bearer {me}"), ("api-key", "{other}")], 200, id="both are valid"),
        pytest.param([("x-api-key", "{other}"), ("api-key", "{me}")], 200, id="the order is fixed"),
        pytest.param([("authorization", "Bearer any"), ("authorization", "Bearer {me}")], 200, id="twice"),
        pytest.param(
            [("authorization", "Bearer any"), ("api-key", "any"), ("x-api-key", "a")], 401, id="none"
        ),
        pytest.param([("api-key", ""), ("x-api-key", " ")], 401, id="empty"),
        pytest.param([("api-key", "Bearer {me}")], 401, id="with a scheme"),
    ],
)
async def test_headers_that_have_a_key(headers: list[tuple[str, str]], code: int) -> None:
    keys = {name: api_keys.add(name) for name in ("other", "me")}
    sent = [(name, value.format_map(keys)) for name, value in headers]
    async with asking(plugins=[ActorRoute()]) as client:
        answer = await client.get("/who", headers=sent)
    assert answer.status_code == code
    if code == 200:
        assert answer.json() == ["me", False]


async def test_one_request_cannot_try_many_keys() -> None:
    key = api_keys.add("app")
    async with asking() as client:
        for guesses, code in [(MAX_KEYS - 1, 200), (MAX_KEYS, 401)]:
            headers = [("x-api-key", "guess")] * guesses + [("x-api-key", key)]
            assert (await client.get("/v1/models", headers=headers)).status_code == code
            guess = "openai-insecure-api-key."
            protocols = ", ".join([f"{guess}guess"] * guesses + [guess + key])
            answer = await client.get("/v1/models", headers={"sec-websocket-protocol": protocols})
            assert answer.status_code == code


async def test_an_empty_header_is_no_key() -> None:
    api_keys.add("app")
    async with asking() as client:
        answer = await client.get("/v1/models", headers={"x-api-key": "", "api-key": " "})
    assert answer.json()["error"]["code"] is None


async def test_public_paths_need_no_key() -> None:
    api_keys.add("app")
    async with asking() as client:
        assert (await client.get("/")).status_code == 200


async def test_error_messages() -> None:
    api_keys.add("app")
    async with asking() as client:
        missing, wrong = (
            await client.get("/v1/models"),
            await client.get("/v1/models", headers=bearer("sk-oss-x")),
        )
    for answer in (missing, wrong):
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
    for header in ("Authorization: Bearer KEY", "x-api-key: KEY", "api-key: KEY"):
        assert header in missing.json()["error"]["message"]
    assert "OPENAI_API_KEY" in missing.json()["error"]["message"]
    assert missing.json()["error"]["code"] is None
    assert wrong.json()["error"] == {
        "message": "This server does not know the key that you sent. "
        "`llm gpt-oss keys add NAME` makes one, on the machine of this server.",
        "type": "invalid_request_error",
        "param": None,
        "code": "invalid_api_key",
    }


async def test_keys_are_added_and_revoked_at_once() -> None:
    key = api_keys.add("app")
    async with asking() as client:
        assert (await client.get("/v1/models", headers=bearer(key))).status_code == 200
        api_keys.revoke("app")
        assert (await client.get("/v1/models", headers=bearer(key))).status_code == 401
        key = api_keys.add("app")
        assert (await client.get("/v1/models", headers=bearer(key))).status_code == 200


async def test_command_line_key() -> None:
    async with asking(key_hash=hash_key("secret"), plugins=[ActorRoute()]) as client:
        assert (await client.get("/who", headers=bearer("secret"))).json() == ["--key", True]
        assert (await client.get("/who")).status_code == 401
    assert not api_keys.path().exists()


async def test_remote_clients_need_a_key_even_if_there_is_none() -> None:
    async with asking(address=OUTSIDE) as client:
        assert (await client.get("/v1/models", headers=bearer("any"))).status_code == 401


async def test_remote_clients_of_an_open_server_need_no_key() -> None:
    async with asking(address=OUTSIDE, allow_unauthenticated=True, plugins=[ActorRoute()]) as client:
        assert (await client.get("/who")).json() == [OUTSIDE_ACTOR, False]
        api_keys.add("app")
        assert (await client.get("/who")).status_code == 401, "who makes keys wants them"


async def test_an_unreadable_key_file_lets_nobody_in(caplog: pytest.LogCaptureFixture) -> None:
    async with asking() as client:
        api_keys.path().write_text("{")
        with caplog.at_level(logging.ERROR):
            answer = await client.get("/v1/models")
    assert answer.status_code == 500
    assert answer.headers["x-should-retry"] == "false"
    assert str(api_keys.path()) not in answer.text
    assert str(api_keys.path()) in caplog.text


async def test_the_sdk_raises_authentication_errors() -> None:
    api_keys.add("app")
    async with openai.AsyncOpenAI(
        api_key="sk-wrong",
        base_url="http://localhost/v1",
        http_client=httpx.AsyncClient(transport=transport()),
    ) as client:
        with pytest.raises(openai.AuthenticationError) as error:
            await client.models.list()
    assert error.value.code == "invalid_api_key"


async def test_keys_are_not_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    key = api_keys.add("app")
    database = tmp_path / "logs.db"
    app = create_app(Settings(database=database), engine=Greeting())
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client,
    ):
        with caplog.at_level(logging.DEBUG):
            assert (await client.post(CHAT, json=MINIMAL, headers=bearer(key))).status_code == 200
            await client.post(CHAT, json=MINIMAL, headers=bearer(key + "x"))
    with closing(sqlite3.connect(database)) as log:
        assert log.execute("select actor from gpt_oss_requests").fetchall() == [(api_keys.read()[0].actor,)]
    assert key.encode() not in bytes_of_files(tmp_path)
    assert key not in caplog.text


def test_a_websocket_ends_with_its_key() -> None:
    async def echo(socket: WebSocket) -> None:
        await socket.accept()
        async for text in socket.iter_text():
            await socket.send_text(text)

    app = Starlette(
        routes=[WebSocketRoute("/v1/responses", echo)], middleware=[Middleware(Auth, ring=KeyRing())]
    )
    key = api_keys.add("app")
    with (
        TestClient(app) as client,
        client.websocket_connect("/v1/responses", headers=bearer(key)) as socket,
    ):
        socket.send_text("Hi")
        assert socket.receive_text() == "Hi"
        api_keys.revoke("app")
        socket.send_text("Hi")
        with pytest.raises(WebSocketDisconnect) as closed:
            socket.receive_text()
    assert closed.value.code == 1008
    assert closed.value.reason.startswith("This server does not know the key")


def test_websockets_need_a_key() -> None:
    async def echo(socket: WebSocket) -> None:
        await socket.accept()
        await socket.send_text(str(socket.state.actor))
        await socket.close()

    app = Starlette(
        routes=[WebSocketRoute("/v1/responses", echo)],
        middleware=[Middleware(Auth, ring=KeyRing(hash_key("secret")))],
    )
    with TestClient(app) as client:
        with client.websocket_connect("/v1/responses", headers=bearer("secret")) as socket:
            assert socket.receive_text() == "--key"
        for names in (["openai-insecure-api-key.secret"], ["realtime", "openai-insecure-api-key.secret"]):
            with client.websocket_connect("/v1/responses", subprotocols=names) as socket:
                assert socket.receive_text() == "--key"
        with pytest.raises(WebSocketDenialResponse) as refused, client.websocket_connect("/v1/responses"):
            pass
    assert refused.value.status_code == 401
