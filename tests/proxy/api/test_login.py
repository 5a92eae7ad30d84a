from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request
from support.requests import CHAT, MINIMAL, Greeting, asking

from proxy.api.login import FAILURE_SECONDS, MAX_FAILURES, Login
from proxy.app import create_app
from proxy.hookspecs import hookimpl
from proxy.http import api_keys
from proxy.http.api_keys import KeyRing
from proxy.http.session import COOKIE
from proxy.settings import Settings

OUTSIDE = ("192.168.1.5", 8000)
HTML = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
SAME_ORIGIN = {"sec-fetch-site": "same-origin"}


class Page:
    "A plugin with a page that returns who reads it."

    @hookimpl
    def register_routes(self, app: FastAPI) -> None:
        @app.get("/live/who")
        @app.post("/live/who")
        @app.get("/v1/who")
        async def who(request: Request) -> Any:
            actor = request.state.actor
            return [actor and actor.partition(":")[0], request.state.admin]


@asynccontextmanager
async def browser(**settings: Any) -> AsyncIterator[httpx.AsyncClient]:
    async with asking(plugins=[Page()], **settings) as client:
        client.headers.update(HTML)
        yield client


async def log_in(
    client: httpx.AsyncClient, key: str, headers: Any = SAME_ORIGIN, **form: str
) -> httpx.Response:
    return await client.post("/login", data={"key": key, **form}, headers=headers)


async def test_a_page_asks_for_a_key() -> None:
    api_keys.add("app")
    async with browser() as client:
        answer = await client.get("/live/who?a=1&b=%22")
    assert answer.status_code == 401
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.headers["cache-control"] == "no-store"
    assert 'value="/live/who?a=1&amp;b=%22"' in answer.text
    assert 'type="password"' in answer.text


@pytest.mark.parametrize("path", ["/live/who", "/v1/models"])
async def test_programs_get_an_error_of_the_api(path: str) -> None:
    api_keys.add("app")
    async with asking(plugins=[Page()]) as client:
        answer = await client.get(path)
    assert answer.json()["error"]["type"] == "invalid_request_error"


async def test_the_api_shows_no_page() -> None:
    api_keys.add("app")
    async with browser() as client:
        assert (await client.get("/v1/models")).headers["content-type"] == "application/json"


@pytest.mark.parametrize("admin", [False, True])
async def test_a_login_opens_the_pages(admin: bool) -> None:
    key = api_keys.add("app", admin=admin)
    async with browser() as client:
        answer = await log_in(client, f" {key}\n", next="/live/who?x=1")
        assert (answer.status_code, answer.headers["location"]) == (303, "/live/who?x=1")
        assert key not in answer.headers["set-cookie"]
        read = await client.get("/live/who")
        assert (read.json(), read.headers["cache-control"]) == (["app", admin], "no-store")
        assert (await client.head("/live/who")).status_code == 200


async def test_a_session_is_no_key_for_the_api() -> None:
    key = api_keys.add("app")
    async with browser() as client:
        await log_in(client, key)
        assert (await client.get("/v1/who")).status_code == 401
        assert (await client.post(CHAT, json=MINIMAL)).status_code == 401
        assert (await client.post("/live/who", headers=SAME_ORIGIN)).status_code == 401


async def test_a_key_counts_more_than_a_session() -> None:
    key, other = api_keys.add("app"), api_keys.add("other")
    async with browser() as client:
        await log_in(client, key)
        for sent, code in [(other, 200), ("wrong", 401)]:
            answer = await client.get("/live/who", headers={"x-api-key": sent})
            assert answer.status_code == code
            if code == 200:
                assert answer.json() == ["other", False]


@pytest.mark.parametrize("change", [api_keys.revoke, api_keys.rotate])
async def test_a_session_ends_with_its_key(change: Any) -> None:
    key = api_keys.add("app")
    async with browser() as client:
        await log_in(client, key)
        change("app")
        assert (await client.get("/live/who")).status_code == 401


async def test_a_session_is_valid_in_other_processes() -> None:
    key = api_keys.add("app")
    async with browser() as client, browser() as other:
        await log_in(client, key)
        other.cookies.update(client.cookies)
        assert (await other.get("/live/who")).json() == ["app", False]


async def test_a_wrong_key() -> None:
    api_keys.add("app")
    async with browser() as client:
        answer = await log_in(client, "sk-oss-wrong", next="/live")
    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers
    assert "does not know this key" in answer.text
    assert "sk-oss-wrong" not in answer.text
    assert 'value="/live"' in answer.text


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"sec-fetch-site": "same-origin"}, 303),
        ({"origin": "http://localhost"}, 303),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site", "origin": "http://localhost:3000"}, 403),
        ({"origin": "http://localhost:3000"}, 403),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({}, 403),
    ],
)
async def test_a_page_of_another_server_cannot_log_in(headers: dict[str, str], code: int) -> None:
    key = api_keys.add("app")
    async with browser() as client:
        answer = await log_in(client, key, headers)
        assert answer.status_code == code
        assert ("set-cookie" in answer.headers) is (code == 303)


@pytest.mark.parametrize("address", ["//evil.example/", "https://evil.example", "/v1/models", None])
async def test_a_login_leads_to_a_page_of_this_server(address: str | None) -> None:
    key = api_keys.add("app")
    async with browser() as client:
        answer = await log_in(client, key, **({"next": address} if address else {}))
    assert answer.headers["location"] == "/"


async def test_the_address_of_a_login_cannot_add_headers() -> None:
    key = api_keys.add("app")
    async with browser() as client:
        answer = await log_in(client, key, next="/live?\r\nset-cookie: a=b")
    assert answer.headers["location"] == "/live?%0D%0Aset-cookie:%20a=b"


@pytest.mark.parametrize(
    ("scheme", "secure"),
    [("http", False), ("https", True)],
)
async def test_a_cookie_that_came_over_https_stays_there(scheme: str, secure: bool) -> None:
    key = api_keys.add("app")
    async with browser() as client:
        answer = await client.post(f"{scheme}://localhost/login", data={"key": key}, headers=SAME_ORIGIN)
    assert ("Secure" in answer.headers["set-cookie"]) is secure


async def test_logout() -> None:
    key = api_keys.add("app")
    async with browser() as client:
        await log_in(client, key)
        assert "<strong>app</strong>" in (await client.get("/login")).text
        assert (await client.post("/logout")).status_code == 403
        answer = await client.post("/logout", headers=SAME_ORIGIN)
        assert (answer.status_code, answer.headers["location"]) == (303, "/login")
        assert COOKIE not in client.cookies
        assert (await client.get("/live/who")).status_code == 401
        assert 'name="key"' in (await client.get("/login")).text


async def test_a_server_without_keys_needs_no_login() -> None:
    async with browser() as client:
        answer = await client.get("/login")
        assert (answer.status_code, "asks for no key" in answer.text) == (200, True)
        assert (await client.get("/live/who")).json() == [None, True]


async def test_a_remote_browser_logs_in_where_only_remote_clients_need_a_key() -> None:
    async with browser(address=OUTSIDE) as client:
        assert 'name="key"' in (await client.get("/login")).text
        assert (await log_in(client, "")).status_code == 401


async def test_many_wrong_keys(caplog: pytest.LogCaptureFixture) -> None:
    key = api_keys.add("app")
    async with browser() as client:
        with caplog.at_level(logging.WARNING):
            for _ in range(MAX_FAILURES):
                assert (await log_in(client, "wrong")).status_code == 401
            answer = await log_in(client, key)
        assert answer.status_code == 429
        assert 0 < int(answer.headers["retry-after"]) <= FAILURE_SECONDS
        assert "Too many wrong keys" in answer.text
        assert (await client.get("/v1/models", headers={"x-api-key": key})).status_code == 200
    assert [record.message for record in caplog.records if "wrong keys" in record.message] != []


def test_the_wait_after_wrong_keys_ends() -> None:
    now = 1000.0
    key = api_keys.add("app")
    login = Login(KeyRing(), lambda: now)
    for _ in range(MAX_FAILURES):
        assert login.seconds_to_wait() == 0
        assert login.session("wrong") is None
        now += 1
    assert login.seconds_to_wait() == FAILURE_SECONDS - MAX_FAILURES
    now += login.seconds_to_wait()
    assert login.seconds_to_wait() == 0
    assert login.session(key)
    assert login.session("wrong") is None
    assert login.seconds_to_wait() > 0


@pytest.mark.parametrize(
    ("body", "code"),
    [(b"x" * 8193, 413), (b"key=%ff%fe", 401), (b"\xff", 401), (b"{}", 401), (b"key=\xed\xa0\x80", 401)],
    ids=["long", "no text", "no UTF-8", "JSON", "a surrogate"],
)
async def test_any_form_is_answered(body: bytes, code: int) -> None:
    api_keys.add("app")
    async with browser() as client:
        headers = {**SAME_ORIGIN, "content-type": "application/x-www-form-urlencoded"}
        assert (await client.post("/login", content=body, headers=headers)).status_code == code


async def test_an_unreadable_key_file() -> None:
    async with browser() as client:
        api_keys.path().write_text("{")
        for answer in [
            await client.get("/login"),
            await log_in(client, "key"),
            await client.get("/live/who"),
        ]:
            assert answer.status_code == (
                200 if answer.request.method == "GET" and answer.url.path == "/login" else 500
            )
            assert str(api_keys.path()) not in answer.text


async def test_sessions_are_not_for_pages_of_other_ports() -> None:
    "Such a page can send the cookie, but the browser does not show it the answer."
    app = create_app(Settings(log_policy="off"), engine=Greeting(), plugins=[Page()])
    key = api_keys.add("app")
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
        await log_in(client, key)
        answer = await client.get("/live/who", headers={"origin": "http://localhost:3000"})
    assert answer.status_code == 200
    assert "access-control-allow-credentials" not in answer.headers
