from __future__ import annotations

from typing import Any

import pytest
from fastapi import FastAPI, Request
from support.proxied_engine import HELLO, proxied
from support.scripted_engine import AsyncScriptedEngine

from proxy.hookspecs import Plugins, hookimpl
from proxy.http import api_keys
from proxy.log.access import Viewer, viewer_of


@pytest.mark.parametrize(
    ("viewer", "actor", "sees"),
    [
        (Viewer("app", False), "app", True),
        (Viewer("app", False), "other", False),
        (Viewer("app", False), None, False),
        (Viewer(None, False), "app", False),
        (Viewer(None, False), None, False),
        (Viewer("me", True), "app", True),
        (Viewer("me", True), None, True),
        (Viewer(None, True), None, True),
    ],
)
def test_which_turns_a_viewer_sees(viewer: Viewer, actor: str | None, sees: bool) -> None:
    assert viewer.can_see(actor) is sees


class Named:
    def __init__(self, name: str | None) -> None:
        self._name = name

    @hookimpl
    async def actor_from_request(self) -> str | None:
        return self._name


@pytest.mark.parametrize(
    ("state", "name", "viewer"),
    [
        pytest.param({}, None, Viewer(None, False), id="no middleware"),
        pytest.param({"actor": None, "admin": True}, None, Viewer(None, True), id="no keys"),
        pytest.param({"actor": None, "admin": False}, None, Viewer(None, False), id="open to others"),
        pytest.param({"actor": "app", "admin": False}, None, Viewer("app", False), id="a key"),
        pytest.param({"actor": "me", "admin": True}, None, Viewer("me", True), id="an admin's key"),
        pytest.param({"actor": "app", "admin": False}, "ada", Viewer("ada", False), id="named"),
        pytest.param({"actor": None, "admin": True}, "ada", Viewer("ada", False), id="named, no keys"),
        pytest.param({"actor": "me", "admin": True}, "ada", Viewer("ada", False), id="behind an admin's key"),
        pytest.param({"actor": "me", "admin": True}, "me", Viewer("me", True), id="named as the key is"),
        pytest.param({"actor": "app", "admin": False}, "app", Viewer("app", False), id="by that name"),
    ],
)
async def test_viewer_of(state: dict[str, Any], name: str | None, viewer: Viewer) -> None:
    assert await viewer_of(Request({"type": "http", "state": state}), Plugins([Named(name)])) == viewer


class Team:
    "Names who asks by a header, and has a route that tells who looks."

    @hookimpl
    def actor_from_request(self, request: Request) -> str | None:
        return request.headers.get("x-team")

    @hookimpl
    def register_routes(self, app: FastAPI) -> None:
        @app.get("/viewer")
        async def viewer(request: Request) -> Viewer:
            return await viewer_of(request, Plugins([self]))


@pytest.mark.parametrize(("headers", "actor"), [({}, "app"), ({"x-team": "red"}, "red")])
async def test_the_viewer_is_the_actor_of_the_turn(headers: dict[str, str], actor: str) -> None:
    headers = {"authorization": f"Bearer {api_keys.add('app')}", **headers}
    async with proxied(AsyncScriptedEngine(HELLO), plugins=[Team()]) as proxy:
        assert (await proxy.chat(user="Hi", headers=headers)).status_code == 200
        actor = api_keys.read()[0].actor if actor == "app" else actor
        looks = await proxy.get("/viewer", headers=headers)
        assert looks.json() == {"actor": actor, "admin": False}
        assert proxy.rows("select actor from gpt_oss_requests") == [(actor,)]
