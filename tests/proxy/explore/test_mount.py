"Who sees the pages of the log, and what else they answer."

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import anyio
import httpx
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from starlette.websockets import WebSocketDisconnect
from support.log_pages import browsing

from proxy.explore import mount
from proxy.http import api_keys


async def test_the_pages_are_at_logs(browser: httpx.AsyncClient) -> None:
    page = await browser.get("/logs", follow_redirects=True)
    assert page.url.path == "/logs/"
    assert "The log of gpt-oss" in page.text


async def test_nothing_is_loaded_from_elsewhere(browser: httpx.AsyncClient) -> None:
    page = await browser.get("/logs/log")
    assert "default-src 'self'" in page.headers["content-security-policy"]
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
    assert "://" not in page.headers["content-security-policy"]


@pytest.mark.parametrize(
    ("path", "location"),
    [
        pytest.param("/logs/log/turns/", "/logs/log/turns", id="slash at the end"),
        pytest.param("/logs/-/config", "/logs/-/settings", id="old name"),
    ],
)
async def test_redirects_stay_below_logs(path: str, location: str, browser: httpx.AsyncClient) -> None:
    assert (await browser.get(path)).headers["location"] == location


@pytest.mark.parametrize(
    "path", ["/lo%67s/", "/%6Cogs/log/turns", "/lo%67s/log/turns.json", "/lo%67s/-/turn/last"]
)
async def test_a_prefix_with_escapes(path: str, browser: httpx.AsyncClient) -> None:
    plain = await browser.get(path.replace("%67", "g").replace("%6C", "l"))
    escaped = await browser.get(path)
    assert (escaped.status_code, escaped.headers.get("location")) == (
        plain.status_code,
        plain.headers.get("location"),
    )


async def test_it_links_to_live(browser: httpx.AsyncClient) -> None:
    assert '<a href="/live">Live</a>' in (await browser.get("/logs/")).text


async def test_links_of_formats(browser: httpx.AsyncClient) -> None:
    page = await browser.get("/logs/log/turns")
    assert 'href="http://testserver/logs/log/turns.json"' in page.text
    assert (await browser.get("/logs/log/turns.json")).json()["rows"] == []


async def test_only_admins_may_look(app: FastAPI) -> None:
    admin, other = api_keys.add("me", admin=True), api_keys.add("app")
    async with browsing(app) as client:
        statuses = [
            (await client.get("/logs/log", headers={"authorization": f"Bearer {key}"})).status_code
            for key in (admin, other, "unknown")
        ]
        page = await client.get("/logs/log", headers={"authorization": f"Bearer {other}"})
        body = await client.get(
            "/logs/log.json", headers={"authorization": f"Bearer {other}", "accept": "*/*"}
        )
    assert statuses == [200, 403, 401]
    assert "need the key of an admin" in page.text
    assert body.json()["error"]["code"] == "forbidden"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
async def test_the_pages_are_read_only(method: str, browser: httpx.AsyncClient) -> None:
    answer = await browser.request(method, "/logs/log?sql=select+1")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")


async def test_head(browser: httpx.AsyncClient) -> None:
    answer = await browser.head("/logs/log")
    assert (answer.status_code, answer.content) == (200, b"")


@pytest.mark.parametrize(
    ("mode", "destination", "site", "query", "status"),
    [
        pytest.param("navigate", "document", "cross-site", "", 200, id="link on another site"),
        pytest.param("navigate", "document", "cross-site", "?sql=select+1", 403, id="SQL of another site"),
        pytest.param("navigate", "document", "none", "?sql=select+1", 200, id="typed address"),
        pytest.param("no-cors", "image", "cross-site", "", 403, id="image on another site"),
        pytest.param("navigate", "iframe", "cross-site", "", 403, id="frame on another site"),
        pytest.param("no-cors", "script", "same-origin", "", 200, id="own script"),
    ],
)
async def test_pages_of_other_sites_can_only_link(
    mode: str, destination: str, site: str, query: str, status: int, browser: httpx.AsyncClient
) -> None:
    headers = {"sec-fetch-mode": mode, "sec-fetch-dest": destination, "sec-fetch-site": site}
    assert (await browser.get(f"/logs/log{query}", headers=headers)).status_code == status


async def test_what_to_type_where_datasette_is_missing(
    browser: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mount, "find_spec", lambda name: None)
    page = await browser.get("/logs/")
    assert (page.status_code, "llm install &#x27;llm-gpt-oss[datasette]&#x27;" in page.text) == (501, True)


async def test_a_log_that_appears_later(app_with: Callable[..., FastAPI], log_path: Path) -> None:
    app = app_with(database=log_path.with_name("later.db"))
    async with browsing(app) as client:
        await anyio.Path(log_path.with_name("later.db")).unlink(missing_ok=True)
        page = await client.get("/logs/")
        assert (page.status_code, "There is no log yet" in page.text) == (404, True)
        await anyio.Path(log_path).rename(log_path.with_name("later.db"))
        assert (await client.get("/logs/log/turns")).status_code == 200


async def test_turns_that_wait_are_mentioned(
    browser: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    await browser.get("/logs/")
    monkeypatch.setattr("proxy.log.problems.sentences", lambda *_: ["2 turns wait for the log."])
    for path in ("/logs/", "/logs/log", "/logs/log/turns"):
        assert "2 turns wait for the log." in (await browser.get(path)).text


def test_websockets_are_closed(app: FastAPI) -> None:
    with (
        TestClient(app) as client,
        pytest.raises(WebSocketDisconnect),
        client.websocket_connect("/logs/log", headers={"host": "testserver"}),
    ):
        raise AssertionError
