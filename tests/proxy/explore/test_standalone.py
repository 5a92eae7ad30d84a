"The pages of `llm gpt-oss explore`: who can open them."

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from support.turn_logs import TurnLog

from proxy.explore.standalone import Access, explore_app

PORT = 1234


@pytest.fixture
def access() -> Access:
    return Access(PORT)


@pytest.fixture
async def client(access: Access, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    TurnLog(tmp_path / "logs.db").db.close()
    app = explore_app(tmp_path / "logs.db", access)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(
            transport=httpx.ASGITransport(app),
            base_url=f"http://127.0.0.1:{PORT}",
            headers={"accept": "text/html"},
        ) as client,
    ):
        yield client


async def test_the_printed_address_opens_the_pages(client: httpx.AsyncClient, access: Access) -> None:
    first = await client.get(f"/logs/?token={access.token}")
    assert (first.status_code, first.headers["location"]) == (307, "/logs/")
    assert {"HttpOnly", "SameSite=lax"} <= {*first.headers["set-cookie"].split("; ")}
    assert access.token not in first.headers["set-cookie"]
    assert (await client.get("/logs/log/turns")).status_code == 200


async def test_there_is_no_live_page(client: httpx.AsyncClient, access: Access) -> None:
    page = await client.get(f"/logs/?token={access.token}", follow_redirects=True)
    assert ("The log of gpt-oss" in page.text, "/live" in page.text) == (True, False)


async def test_the_printed_address_works_in_a_second_browser(
    client: httpx.AsyncClient, access: Access
) -> None:
    for _ in range(2):
        client.cookies.clear()
        await client.get(f"/logs/?token={access.token}")
        assert (await client.get("/logs/log")).status_code == 200


async def test_the_address_that_starts_a_browser_works_once(
    client: httpx.AsyncClient, access: Access
) -> None:
    token = access.single_use_token
    assert (await client.get(f"/logs/?token={token}")).status_code == 307
    client.cookies.clear()
    assert (await client.get(f"/logs/?token={token}")).status_code == 403


@pytest.mark.parametrize("query", ["", "?token=", "?token=x", "?token=%ff"])
async def test_requests_without_a_token_are_refused(query: str, client: httpx.AsyncClient) -> None:
    for path in ("/logs/", "/logs/log.json", "/logs/-/static/app.css", "/logs"):
        page = await client.get(path + query)
        assert (page.status_code, "llm gpt-oss explore" in page.text) == (403, True)


async def test_a_wrong_cookie_does_not_help(client: httpx.AsyncClient) -> None:
    client.cookies.set(f"llm-gpt-oss-explore-{PORT}", "x")
    assert (await client.get("/logs/")).status_code == 403


async def test_other_names_of_this_machine_are_refused(client: httpx.AsyncClient, access: Access) -> None:
    answer = await client.get(f"/logs/?token={access.token}", headers={"host": "evil.example"})
    assert answer.status_code == 400
    assert "set-cookie" not in answer.headers
