from __future__ import annotations

from playwright.sync_api import expect
from support.dictated_engine import DictatedEngine

from proxy.http import api_keys

from .conftest import Serve, Surfing, check_accessibility

UNAUTHORIZED = "401 (Unauthorized)"


def test_a_key_is_asked_for_and_opens_the_page(serve: Serve, surfing: Surfing) -> None:
    key = api_keys.add("laptop")
    server = serve(DictatedEngine())
    surfer = surfing(server.url)
    page = surfer.open(f"{server.url}/live?a=1")
    expect(page.get_by_label("Key")).to_be_focused()
    page.get_by_label("Key").fill("sk-oss-wrong")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("alert")).to_have_text("This server does not know this key.")
    page.get_by_label("Key").fill(key)
    page.keyboard.press("Enter")
    expect(page.locator("#summary")).to_have_text("0 running")
    assert page.url == f"{server.url}/live?a=1"
    surfer.expect(UNAUTHORIZED)
    (cookie,) = page.context.cookies()
    assert (cookie["httpOnly"], cookie["sameSite"], cookie["path"]) == (True, "Strict", "/")
    assert key not in cookie["value"]

    page.get_by_role("link", name="Key").click()
    expect(page.get_by_role("strong")).to_have_text("laptop")
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_label("Key")).to_be_visible()
    assert page.context.cookies() == []


def test_a_page_asks_again_when_its_key_is_revoked(serve: Serve, surfing: Surfing) -> None:
    key = api_keys.add("laptop")
    server = serve(DictatedEngine())
    surfer = surfing(server.url)
    page = surfer.open(f"{server.url}/live")
    page.get_by_label("Key").fill(key)
    page.keyboard.press("Enter")
    expect(page.locator("#summary")).to_have_text("0 running")
    api_keys.revoke("laptop")
    expect(page.get_by_label("Key")).to_be_visible()
    surfer.expect(UNAUTHORIZED)


def test_accessibility(serve: Serve, surfing: Surfing) -> None:
    key = api_keys.add("laptop")
    server = serve(DictatedEngine())
    surfer = surfing(server.url)
    page = surfer.open(f"{server.url}/login")
    check_accessibility(page)
    page.get_by_label("Key").fill("wrong")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_be_visible()
    check_accessibility(page)
    page.get_by_label("Key").fill(key)
    page.keyboard.press("Enter")
    page.wait_for_url(f"{server.url}/")
    check_accessibility(page)
    page.goto(f"{server.url}/login")
    check_accessibility(page)
    surfer.expect(UNAUTHORIZED)
