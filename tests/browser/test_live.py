from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from support.dictated_engine import DictatedEngine

from .conftest import Serve, Served, Surfing, check_accessibility

CHAT = "/v1/chat/completions"
HOSTILE = "<img src=x onerror=\"document.title='run'\"><script>document.title='run'</script>"


@pytest.fixture
def clients() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as threads:
        yield threads


@pytest.fixture
def engine() -> DictatedEngine:
    return DictatedEngine()


@pytest.fixture
def server(serve: Serve, engine: DictatedEngine) -> Served:
    return serve(engine, max_concurrency=1)


def ask(server: Served, clients: ThreadPoolExecutor, app: str = "opencode/1.2", **fields: Any) -> Future[Any]:
    body = {"messages": [{"role": "user", "content": "Hi"}], **fields}
    return clients.submit(server.post, CHAT, body, {"user-agent": app})


def row(page: Page, app: str = "opencode") -> Any:
    return page.locator(".run", has=page.locator(".app", has_text=app))


def test_a_request_is_followed_from_the_queue_to_its_transcript(
    server: Served, engine: DictatedEngine, clients: ThreadPoolExecutor, surfing: Surfing
) -> None:
    page = surfing(server.url).open(f"{server.url}/live")
    expect(page.get_by_text("Nothing has run yet.")).to_be_visible()
    answer = ask(server, clients, reasoning_effort="high")
    call = engine.call(0)
    first = row(page)
    expect(first.locator(".state")).to_have_text("Reading")
    expect(first.locator(".effort")).to_have_text("effort high")
    second = ask(server, clients, "curl/8")
    expect(row(page, "curl").locator(".state")).to_have_text("Queued")
    expect(page.locator("#summary")).to_have_text("1 running, 1 queued")
    call.say("<|channel|>analysis<|message|>Let me see")
    expect(first.locator(".state")).to_have_text("Thinking")
    expect(first.locator(".text")).to_have_text("Let me see")
    call.say("<|end|><|start|>assistant<|channel|>final<|message|>It works")
    expect(first.locator(".state")).to_have_text("Answering")
    expect(first.locator(".text")).to_have_text("It works")
    call.end()
    expect(first.locator(".state")).to_have_text("Done")
    expect(first.get_by_role("button")).to_have_count(0)
    assert answer.result().json()["choices"][0]["message"]["content"] == "It works"
    tokens = answer.result().json()["usage"]["completion_tokens"]
    expect(first.locator(".tokens")).to_have_text(str(tokens))
    turn = first.get_by_role("link").get_attribute("href")
    assert turn == f"/logs/-/turn/{answer.result().json()['id'].removeprefix('chatcmpl-')}"
    engine.call(1).say("<|channel|>final<|message|>Yes")
    engine.call(1).end()
    second.result()


def test_a_screen_reader_hears_of_starts_and_ends(
    server: Served, engine: DictatedEngine, clients: ThreadPoolExecutor, surfing: Surfing
) -> None:
    page = surfing(server.url).open(f"{server.url}/live")
    expect(page.locator("#summary")).to_have_text("0 running")
    ask(server, clients)
    engine.call(0).say("<|channel|>final<|message|>Yes")
    expect(page.get_by_role("status")).to_have_text("Started: gpt-oss:20b for opencode.")
    engine.call(0).end()
    expect(page.get_by_role("status")).to_have_text("Done: gpt-oss:20b for opencode, 5 tokens.")


def test_stop(server: Served, engine: DictatedEngine, clients: ThreadPoolExecutor, surfing: Surfing) -> None:
    page = surfing(server.url).open(f"{server.url}/live")
    answer = ask(server, clients)
    call = engine.call(0)
    call.say("<|channel|>final<|message|>Once upon a time")
    expect(row(page).locator(".text")).to_have_text("Once upon a time")
    page.get_by_role("button", name="Pause updates").focus()
    page.keyboard.press("Tab")
    expect(row(page)).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(row(page).locator(".state")).to_have_text("Stopped")
    expect(row(page).locator(".text")).to_have_text("It was stopped at /live.")
    expect(row(page)).to_be_focused()
    assert answer.result().status_code == 499
    assert not call.is_open


def test_hostile_text_is_text(
    server: Served, engine: DictatedEngine, clients: ThreadPoolExecutor, surfing: Surfing
) -> None:
    page = surfing(server.url).open(f"{server.url}/live")
    ask(server, clients, HOSTILE.replace(" ", "\t"))
    engine.call(0).say(f"<|channel|>final<|message|>{HOSTILE}")
    expect(page.locator(".text")).to_have_text(HOSTILE)
    expect(page.locator(".run img, .run script")).to_have_count(0)
    expect(page).to_have_title("(1) Live · llm-gpt-oss")
    engine.call(0).end()


def test_pause_and_the_arrow_keys(
    server: Served, engine: DictatedEngine, clients: ThreadPoolExecutor, surfing: Surfing
) -> None:
    page = surfing(server.url).open(f"{server.url}/live")
    for number, app in enumerate(("one", "two")):
        ask(server, clients, app)
        engine.call(number).say("<|channel|>final<|message|>Yes")
        engine.call(number).end()
        expect(row(page, app).locator(".state")).to_have_text("Done")
    row(page, "two").focus()
    page.keyboard.press("ArrowDown")
    expect(row(page, "one")).to_be_focused()
    page.keyboard.press("ArrowUp")
    expect(row(page, "two")).to_be_focused()
    pause = page.get_by_role("button", name="Pause updates")
    pause.click()
    expect(pause).to_have_attribute("aria-pressed", "true")
    ask(server, clients, "three")
    expect(page.locator("#summary")).to_have_text("1 running, updates are paused")
    expect(page.locator(".run")).to_have_count(2)
    pause.click()
    expect(page.locator(".run")).to_have_count(3)
    engine.call(2).say("<|channel|>final<|message|>Yes")
    engine.call(2).end()


def test_a_page_connects_again_by_itself(
    server: Served, engine: DictatedEngine, clients: ThreadPoolExecutor, surfing: Surfing
) -> None:
    page = surfing(server.url).open(f"{server.url}/live")
    expect(page.locator("#summary")).to_have_text("0 running")
    page.context.set_offline(True)
    page.evaluate("0")
    page.context.set_offline(False)
    ask(server, clients)
    engine.call(0).say("<|channel|>final<|message|>Yes")
    engine.call(0).end()
    expect(row(page).locator(".state")).to_have_text("Done")


def test_accessibility(
    server: Served, engine: DictatedEngine, clients: ThreadPoolExecutor, surfing: Surfing
) -> None:
    page = surfing(server.url).open(f"{server.url}/live")
    ask(server, clients, "one")
    engine.call(0).say("<|channel|>final<|message|>Yes")
    engine.call(0).end()
    ask(server, clients, "two")
    engine.call(1).say("<|channel|>analysis<|message|>Let me see")
    ask(server, clients, "three")
    expect(row(page, "three").locator(".state")).to_have_text("Queued")
    expect(row(page, "two").locator(".state")).to_have_text("Thinking")
    check_accessibility(page)
    page.set_viewport_size({"width": 320, "height": 700})
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    engine.call(1).say("<|end|><|start|>assistant<|channel|>final<|message|>Yes")
    engine.call(1).end()
    engine.call(2).say("<|channel|>final<|message|>Yes")
    engine.call(2).end()
