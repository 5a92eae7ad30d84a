from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import openai
import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient, WebSocketDenialResponse
from support.growth import assert_linear
from support.proxied_engine import proxied
from support.requests import CHAT, MINIMAL, Greeting, asking
from support.scripted_engine import AsyncScriptedEngine

from proxy.app import create_app
from proxy.hookspecs import hookimpl
from proxy.http import api_keys
from proxy.http.paths import CanonicalPaths
from proxy.settings import Settings

ROUTES = ("/", "/health", "/api/{path:path}", CHAT, "/v1/models", "/v1/models/{name:path}", "/v1/responses")
AZURE = "/openai/deployments/gpt-oss/chat/completions"


class Seen:
    "An application that remembers the scope."

    scope: dict[str, Any]

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.scope = scope


async def seen(path: str, kind: str = "http") -> tuple[str, str | None]:
    app = Seen()
    await CanonicalPaths(app, ROUTES)({"type": kind, "path": path}, None, None)  # type: ignore[arg-type]
    return app.scope["path"], app.scope.get("path_params", {}).get("deployment")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (CHAT, CHAT),
        ("/v1/chat/completions/", CHAT),
        ("//v1/chat/completions", CHAT),
        ("/v1//chat///completions//", CHAT),
        ("/v1/v1/chat/completions", CHAT),
        ("/v1/v1/v1/models", "/v1/models"),
        ("/chat/completions", CHAT),
        ("/models", "/v1/models"),
        ("/models/", "/v1/models"),
        ("/models/openai/gpt-oss", "/v1/models/openai/gpt-oss"),
        ("/models/a\nb", "/v1/models/a\nb"),
        ("/v1/models/v1/models", "/v1/models/v1/models"),
        ("/api/v1/chat/completions", CHAT),
        ("/openai/v1/chat/completions", CHAT),
        ("/openai/responses", "/v1/responses"),
        ("/responses/resp_1/cancel", "/v1/responses/resp_1/cancel"),
        ("//", "/"),
        ("", "/"),
        ("/health/", "/health"),
        ("//api/tags", "/api/tags"),
        ("/v1/api/chat", "/api/chat"),
        ("/api/v1/tags", "/api/v1/tags"),
    ],
)
@pytest.mark.parametrize("kind", ["http", "websocket"])
async def test_path_of_a_route(kind: str, path: str, expected: str) -> None:
    assert await seen(path, kind) == (expected, None)


@pytest.mark.parametrize(
    ("path", "expected", "model"),
    [
        (AZURE, CHAT, "gpt-oss"),
        (f"{AZURE}/", CHAT, "gpt-oss"),
        ("/openai/deployments/hf.co/user/gpt-oss:20b/chat/completions", CHAT, "hf.co/user/gpt-oss:20b"),
        ("/v1/deployments/gpt-oss/responses", "/v1/responses", "gpt-oss"),
        ("/deployments/models/models", "/v1/models", "models"),
    ],
)
async def test_path_with_a_deployment(path: str, expected: str, model: str) -> None:
    assert await seen(path) == (expected, model)


@pytest.mark.parametrize(
    "path",
    [
        "/v1",
        "/v1/",
        "/V1/models",
        "/chats",
        "/modelsx/y",
        "/v1/audio/speech",
        "/v2/models",
        "/x/v1/models",
        "/health/../v1/models",
        "/./health",
        "/%2fhealth",
        "/ui/",
        "/openai/deployments",
        "/openai/deployments/gpt-oss",
        "/openai/deployments//chat/completions",
        "/openai/deployments/gpt-oss/health",
        "/models\n",
    ],
)
async def test_paths_that_mean_no_route_stay_as_they_are(path: str) -> None:
    assert await seen(path) == (path, None)


@pytest.mark.parametrize("end", ["", "x", "\n", "/\n"], ids=["routes", "no route", "line break", "line"])
@pytest.mark.parametrize(
    "part", ["/models", "/v1", "/openai/v1", "/api", "/api/v1", "/deployments/models", "/a"]
)
@pytest.mark.parametrize("start", ["", "/deployments/x"], ids=["path", "deployment"])
def test_no_path_keeps_the_server_busy(start: str, part: str, end: str) -> None:
    app = CanonicalPaths(Seen(), ROUTES)

    def read(path: str) -> None:
        with suppress(StopIteration):
            app({"type": "http", "path": path}, None, None).__await__().send(None)  # type: ignore[arg-type]

    assert_linear(read, lambda size: start + part * (size // len(part)) + end)


@pytest.mark.parametrize(
    "path", [CHAT, "/v1/v1/chat/completions/", "/chat/completions", "//v1/chat/completions"]
)
async def test_answer(path: str) -> None:
    async with asking() as client:
        answer = await client.post(path, json=MINIMAL)
        assert (answer.status_code, answer.json()["object"]) == (200, "chat.completion")


async def test_azure_names_the_model_in_the_path() -> None:
    engine = Greeting()
    async with asking(engine, aliases={"my-model": "gpt-oss:120b"}) as client:
        for model in ({}, {"model": "another"}):
            body = {"messages": MINIMAL["messages"], **model}
            path = "/openai/deployments/my-model/chat/completions?api-version=2024-10-21"
            answer = await client.post(path, json=body)
            assert (answer.status_code, answer.json()["model"]) == (200, "my-model")
        answer = await client.post("/openai/deployments/nothing/chat/completions", json=MINIMAL)
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "model_not_found")
        answer = await client.post(AZURE, json=[])
        assert answer.status_code == 400
    assert [completion.model for completion in engine.asked] == ["gpt-oss:120b", "gpt-oss:120b"]


async def test_a_deployment_is_no_field_of_requests_without_a_model(app_with: Callable[..., FastAPI]) -> None:
    with TestClient(app_with()) as client:
        assert client.post("/openai/deployments/gpt-oss/conversations", json={}).status_code == 200


@pytest.mark.parametrize("deployment", [None, "gpt-oss"], ids=["model", "deployment"])
def test_client_of_azure(app_with: Callable[..., FastAPI], deployment: str | None) -> None:
    with TestClient(app_with("<|channel|>final<|message|>Hello")) as http:
        client = openai.AzureOpenAI(
            azure_endpoint="http://testserver",
            azure_deployment=deployment,
            api_version="2024-10-21",
            api_key="any",
            http_client=http,
        )
        answer = client.chat.completions.create(model="gpt-oss", messages=MINIMAL["messages"])
        assert answer.choices[0].message.content == "Hello"
        assert client.models.list().data


async def test_the_log_has_the_model_of_the_path() -> None:
    async with proxied(AsyncScriptedEngine("<|channel|>final<|message|>Hello")) as proxy:
        await proxy.post(AZURE, {"messages": MINIMAL["messages"]})
        (turn,) = proxy.turns()
    assert (turn["endpoint"], json.loads(turn["request"])["model"]) == (CHAT, "gpt-oss")


def test_websocket() -> None:
    app = create_app(
        Settings(log_policy="off"), engine=AsyncScriptedEngine("<|channel|>final<|message|>Hello")
    )
    with (
        TestClient(app, base_url="http://localhost") as client,
        client.websocket_connect("ws://localhost//responses/") as socket,
    ):
        socket.send_json({"type": "response.create", "model": "gpt-oss", "input": "Hi"})
        assert socket.receive_json()["type"] == "response.created"


class TestSecurity:
    "The checks of keys and hosts see the path that the router sees."

    PATHS = (
        "/models",
        "//v1/models",
        "/v1/models/",
        "//health/../v1/models",
        "/v1/api/tags",
        "/health/x",
        "/x",
    )

    async def test_keys(self) -> None:
        api_keys.add("app")
        async with asking() as client:
            for path in self.PATHS:
                assert (await client.get(f"http://localhost{path}")).status_code == 401, path
            assert (await client.get("http://localhost//")).status_code == 200

    async def test_hosts(self) -> None:
        async with asking() as client:
            for path in self.PATHS:
                answer = await client.get(f"http://localhost{path}", headers={"host": "evil.example"})
                assert answer.status_code == 403, path

    def test_websockets(self) -> None:
        api_keys.add("app")
        app = create_app(Settings(log_policy="off"))
        with (
            TestClient(app, base_url="http://localhost") as client,
            pytest.raises(WebSocketDenialResponse) as denied,
            client.websocket_connect("ws://localhost//responses"),
        ):
            pass
        assert denied.value.status_code == 401


class Pages:
    @hookimpl
    def register_routes(self, app: FastAPI) -> None:
        @app.get("/ui/")
        async def page() -> str:
            return "page"


async def test_routes_of_plugins_keep_their_slash() -> None:
    async with asking(plugins=[Pages()]) as client:
        assert (await client.get("/ui/")).json() == "page"
        assert (await client.get("/ui")).status_code == 404


async def test_nothing_is_redirected() -> None:
    async with asking() as client:
        assert (await client.post("/api", json={})).status_code == 404
        assert (await client.post("/v1/chat/completions/", json=MINIMAL)).status_code == 200
