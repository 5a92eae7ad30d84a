from __future__ import annotations

import logging
from dataclasses import replace
from importlib.metadata import Distribution, EntryPoint
from typing import Any

import pytest
from fastapi import FastAPI, Request
from support.logged_turns import system
from support.proxied_engine import HELLO, proxied
from support.scripted_engine import AsyncScriptedEngine

from proxy import hookspecs
from proxy.generation import GenerationRequest
from proxy.hookspecs import GROUP, Plugins, hookimpl
from proxy.http.errors import ApiError


class Greeter:
    "A plugin that implements every hook."

    def __init__(self) -> None:
        self.logged: list[tuple[str, str, int, str | None]] = []

    @hookimpl
    def register_routes(self, app: FastAPI) -> None:
        @app.get("/greeting")
        async def greeting() -> str:
            return "Good day"

    @hookimpl
    def prepare_request(self, generation: GenerationRequest) -> GenerationRequest:
        return replace(generation, messages=(system("Greet first."), *generation.messages))

    @hookimpl
    async def actor_from_request(self, request: Request) -> str | None:
        return request.headers.get("x-team")

    @hookimpl
    def turn_logged(
        self, turn_id: str, generation: GenerationRequest, status: int, error: str | None
    ) -> None:
        self.logged.append((turn_id, generation.model, status, error))


async def test_all_hooks() -> None:
    greeter = Greeter()
    async with proxied(AsyncScriptedEngine(HELLO), plugins=[greeter]) as proxy:
        assert (await proxy.client.get("/greeting")).json() == "Good day"
        assert (await proxy.chat(user="Hi", headers={"x-team": "red"})).status_code == 200
        ((turn_id, actor),) = proxy.rows("select turn_id, actor from gpt_oss_requests")
        assert (actor, greeter.logged) == ("red", [(turn_id, "gpt-oss:20b", 200, None)])
        assert "Greet first." in proxy.engine.asked[0].prompt


async def test_turn_logged_of_a_failed_turn() -> None:
    greeter = Greeter()
    async with proxied(AsyncScriptedEngine([ApiError(418, "No.")]), plugins=[greeter]) as proxy:
        assert (await proxy.chat(user="Hi")).status_code == 418
        assert greeter.logged[0][1:] == ("gpt-oss:20b", 418, "No.")


class RefusingPlugin:
    @hookimpl
    def prepare_request(self, generation: GenerationRequest, request: Request) -> None:
        raise ApiError(402, f"{generation.model} is not free.", code="pay")


@pytest.mark.parametrize("stream", [True, False])
async def test_prepare_request_refuses_a_request(stream: bool, caplog: pytest.LogCaptureFixture) -> None:
    async with proxied(AsyncScriptedEngine(), plugins=[RefusingPlugin()]) as proxy:
        answer = await proxy.chat(user="Hi", stream=stream)
        assert (answer.status_code, answer.json()["error"]["code"]) == (402, "pay")
        assert proxy.rows("select * from turns") == []
    assert caplog.messages == [
        "/v1/chat/completions was refused and is not in the log: 'gpt-oss:20b is not free.'"
    ]


class FailingPlugin:
    @hookimpl
    def register_routes(self, app: Any) -> None:
        raise KeyError

    @hookimpl
    def prepare_request(self) -> None:
        raise KeyError

    @hookimpl
    async def turn_logged(self) -> None:
        raise KeyError


async def test_a_failing_hook_is_logged_and_skipped(caplog: pytest.LogCaptureFixture) -> None:
    greeter = Greeter()
    with caplog.at_level(logging.ERROR, "proxy.hookspecs"):
        async with proxied(AsyncScriptedEngine(HELLO), plugins=[greeter, FailingPlugin()]) as proxy:
            assert (await proxy.chat(user="Hi", headers={"x-team": "red"})).status_code == 200
            assert proxy.rows("select actor from gpt_oss_requests") == [("red",)]
    assert len(greeter.logged) == 1
    logged = [record.message for record in caplog.records]
    assert [message.split(" of ")[0] for message in logged] == [
        "The hook register_routes",
        "The hook prepare_request",
        "The hook turn_logged",
    ]


class Unsure:
    "Fails to name a client."

    def __init__(self, error: Exception) -> None:
        self._error = error

    @hookimpl
    async def actor_from_request(self) -> None:
        raise self._error


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/responses", "/v1/messages"])
async def test_a_client_that_no_plugin_can_name_is_refused(
    path: str, caplog: pytest.LogCaptureFixture
) -> None:
    "Nobody is an admin because a plugin failed."
    body = {
        "model": "gpt-oss",
        "max_tokens": 9,
        "input": "Hi",
        "messages": [{"role": "user", "content": "Hi"}],
    }
    async with proxied(AsyncScriptedEngine(), plugins=[Greeter(), Unsure(KeyError("a secret"))]) as proxy:
        answer = await proxy.post(path, body)
        assert (answer.status_code, answer.headers["x-should-retry"]) == (500, "false")
        assert "A plugin could not tell who you are." in answer.text
        assert "secret" not in answer.text
        assert (await proxy.get("/v1/responses/resp_1")).status_code == 500
        assert proxy.turns() == []
    assert caplog.messages[0].startswith("The hook actor_from_request of the plugin ")


async def test_a_plugin_refuses_a_client() -> None:
    refusal = ApiError(403, "Who are you?")
    async with proxied(AsyncScriptedEngine(), plugins=[Unsure(refusal)]) as proxy:
        answer = await proxy.chat(user="Hi")
        assert (answer.status_code, answer.json()["error"]["message"]) == (403, "Who are you?")


class NamingPlugin:
    def __init__(self, name: str | None) -> None:
        self._name = name

    @hookimpl
    def actor_from_request(self) -> str | None:
        return self._name

    @hookimpl
    async def prepare_request(self, generation: GenerationRequest) -> GenerationRequest | None:
        return replace(generation, model=f"{generation.model}{self._name}") if self._name else None


async def test_order_of_plugins() -> None:
    plugins = Plugins([NamingPlugin("a"), NamingPlugin("b"), NamingPlugin(None)])
    assert await plugins.actor_of(Request({"type": "http"})) == "b"
    prepared = await plugins.prepare_request(GenerationRequest("/x", "m", ()), Request({"type": "http"}))
    assert prepared.model == "mba"


class CountingPlugin:
    "Counts how often it names the client."

    def __init__(self) -> None:
        self.count = 0

    @hookimpl
    def actor_from_request(self) -> str:
        self.count += 1
        return "ada"


async def test_the_client_is_identified_once_for_each_request() -> None:
    plugin = CountingPlugin()
    async with proxied(AsyncScriptedEngine(HELLO, HELLO), plugins=[plugin]) as proxy:
        assert (await proxy.chat(user="Hi", n=2, headers={"idempotency-key": "x"})).status_code == 200
        assert proxy.rows("select actor from gpt_oss_requests") == [("ada",), ("ada",)]
    assert plugin.count == 1


async def test_no_actor() -> None:
    assert await Plugins([NamingPlugin(None)]).actor_of(Request({"type": "http"})) is None


async def test_installed_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    class Installed(Distribution):
        metadata = {"name": "one"}  # type: ignore[assignment]  # noqa: RUF012
        entry_points = [EntryPoint("one", f"{__name__}:INSTALLED", GROUP)]  # type: ignore[assignment]  # noqa: RUF012

        def read_text(self, filename: str) -> None:
            return None

        def locate_file(self, path: Any) -> Any:
            return path

    monkeypatch.setattr("importlib.metadata.distributions", lambda: [Installed()])
    monkeypatch.setattr(EntryPoint, "load", lambda self: NamingPlugin("installed"))
    monkeypatch.setattr(hookspecs, "installed_plugins", hookspecs.installed_plugins.__wrapped__)
    assert await Plugins().actor_of(Request({"type": "http"})) == "installed"
