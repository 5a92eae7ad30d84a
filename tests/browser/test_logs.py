"The pages of the log, as Datasette and our plugins of it make them."

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect
from support.household_log import write_household_log
from support.scripted_engine import AsyncScriptedEngine

from proxy.explore.mount import is_installed
from proxy.explore.queries import QUERIES

from .conftest import Serve, Served, Surfing, check_accessibility

pytestmark = pytest.mark.skipif(not is_installed(), reason="the extra datasette is not installed")

HOSTILE = (
    "<script>document.title='run'</script><img src=x onerror=\"document.title='run'\"> "
    "[a link](javascript:document.title='run') ![a picture](https://evil.example/x.png) "
    "<svg onload=\"document.title='run'\"></svg>"
)


def chat(server: Served, text: str) -> str:
    "Return the id of the turn that answers it."
    answer: Any = server.post("/v1/chat/completions", {"messages": [{"role": "user", "content": text}]})
    turn_id: str = answer.json()["id"].removeprefix("chatcmpl-")
    return turn_id


@pytest.mark.parametrize(
    "text", [HOSTILE, f"```\n{HOSTILE}\n```", f"<details>{HOSTILE}"], ids=["text", "code", "html"]
)
def test_hostile_text_does_not_run(serve: Serve, surfing: Surfing, text: str) -> None:
    answer = f"<|channel|>analysis<|message|>{text}<|end|><|start|>assistant<|channel|>final<|message|>{text}"
    server = serve(AsyncScriptedEngine(answer))
    turn_id = chat(server, text)
    surfer = surfing(server.url)
    for path in (f"turn/{turn_id}", f"turn/{turn_id}/prompt"):
        page = surfer.open(f"{server.url}/logs/-/{path}")
        expect(page.locator("body")).to_contain_text("document.title='run'")
        expect(page.locator("main script, main img, main svg[onload]")).to_have_count(0)
        expect(page.locator('main a[href^="javascript"]')).to_have_count(0)
        assert page.title() != "run"
    for table in ("turns", "parts", "messages", "gpt_oss_requests", "gpt_oss_turns"):
        page = surfer.open(f"{server.url}/logs/log/{table}")
        assert page.title() != "run"


def test_a_row_leads_to_its_transcript(serve: Serve, surfing: Surfing) -> None:
    server = serve(AsyncScriptedEngine("<|channel|>final<|message|>It is **blue**."))
    page = surfing(server.url).open(f"{server.url}/live")
    chat(server, "What colour is the sky?")
    page.get_by_role("link", name="Transcript").click()
    expect(page.locator("main")).to_contain_text("What colour is the sky?")
    expect(page.locator("main strong", has_text="blue")).to_be_visible()


# Datasette's templates have neither a language nor landmarks, skip a level of headings, and have fields for
# filters and an editor of SQL without a label.
DATASETTES = ("html-has-lang", "landmark-one-main", "region", "heading-order", "label", "select-name")
# A mark of a picture that has no data.
VEGAS = ("svg-img-alt",)


def test_accessibility(serve: Serve, surfing: Surfing, tmp_path: Path) -> None:
    write_household_log(tmp_path / "logs.db")
    server = serve(AsyncScriptedEngine())
    page = surfing(server.url).open(f"{server.url}/logs/")
    rows = page.evaluate("fetch('/logs/log/gpt_oss_turns.json?_shape=array').then(answer => answer.json())")
    turn = rows[0]["turn_id"]
    for path in (f"-/turn/{turn}", f"-/thread/{rows[0]['thread_id']}", "-/privacy"):
        page.goto(f"{server.url}/logs/{path}")
        check_accessibility(page)
    for path in ("", "log", "log/turns", f"log/turns/{turn}", "-/search?q=rain"):
        page.goto(f"{server.url}/logs/{path}")
        check_accessibility(page, *DATASETTES)
    page.goto(f"{server.url}/logs/-/dashboards/log")
    expect(page.locator("svg.marks").first).to_be_visible()
    check_accessibility(page, *DATASETTES, *VEGAS)


def test_search(serve: Serve, surfing: Surfing, tmp_path: Path) -> None:
    write_household_log(tmp_path / "logs.db")
    server = serve(AsyncScriptedEngine())
    page = surfing(server.url).open(f"{server.url}/logs/")
    page.get_by_role("searchbox").fill("tomatoes")
    page.keyboard.press("Enter")
    hit = page.locator(".explore-hits li").first
    expect(hit.locator("mark, b").first).to_have_text("tomatoes")
    hit.get_by_role("link").first.click()
    expect(page.locator("main")).to_contain_text("No need to water on Wednesday.")


def test_ready_queries(serve: Serve, surfing: Surfing, tmp_path: Path) -> None:
    write_household_log(tmp_path / "logs.db")
    server = serve(AsyncScriptedEngine())
    page = surfing(server.url).open(f"{server.url}/logs/")
    for query in QUERIES:
        page.goto(f"{server.url}/logs/log/{query.name}")
        expect(page).to_have_title(re.compile(re.escape(query.title)))
        expect(page.get_by_text(query.description).first).to_be_visible()


@pytest.mark.parametrize("table", ["gpt_oss_turns", "gpt_oss_threads"])
def test_a_table_on_a_phone_needs_no_sideways_scrolling(serve: Serve, surfing: Surfing, table: str) -> None:
    server = serve(AsyncScriptedEngine("<|channel|>final<|message|>Hello."))
    chat(server, "Hi " * 200)
    page = surfing(server.url, viewport={"width": 390, "height": 800}).open(f"{server.url}/logs/log/{table}")
    assert page.evaluate("document.documentElement.scrollWidth") == 390
