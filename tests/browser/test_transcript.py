"The pages of turns and threads, on a log as an app leaves it, and on one that somebody made to do harm."

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, ViewportSize, expect
from support.dictated_engine import DictatedEngine
from support.hostile_texts import HOSTILE
from support.household_log import write_household_log
from support.logged_turns import assistant, call, reasoning, result, system, user
from support.turn_logs import TurnLog

from .conftest import Serve, Served, Surfing, check_accessibility

PHONE: ViewportSize = {"width": 390, "height": 800}


@pytest.fixture
def garden(serve: Serve, tmp_path: Path) -> Served:
    "A server with the log of a person who asked about the garden."
    write_household_log(tmp_path / "logs.db")
    return serve(DictatedEngine())


def open_all(page: Page) -> None:
    page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")


def test_what_an_app_asked_can_be_found_by_clicking(garden: Served, surfing: Surfing) -> None:
    page = surfing(garden.url).open(f"{garden.url}/logs/-/turn/last")
    expect(page.get_by_text("Failed with 503")).to_be_visible()
    expect(page.get_by_text("Ollama does not answer")).to_be_visible()

    page.get_by_role("link", name="The log", exact=True).click()
    page.goto(f"{garden.url}/logs/log/threads")
    page.get_by_role("link", name="Can you help me with the garden?").first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Can you help me with the garden?")
    called = page.locator("section", has_text="Call of forecast")
    expect(called.get_by_role("heading", name="Result")).to_be_visible()
    expect(called).to_contain_text("rain_mm")
    expect(called.get_by_text("{'place'")).to_be_hidden()
    called.get_by_text("What the model wrote").click()
    expect(called.get_by_text("{'place'")).to_be_visible()

    page.get_by_role("link", name="And if it stays dry?").click()
    expect(page.get_by_text("Then only the beds in the greenhouse.")).to_be_visible()
    expect(page.get_by_text("Gladly. Where is it?")).to_be_hidden()
    page.get_by_text("3 earlier turns of this conversation").click()
    expect(page.get_by_text("Gladly. Where is it?")).to_be_visible()

    page.get_by_role("link", name="Exact prompt").click()
    expect(page.get_by_text("<|start|>user<|message|>And if it stays dry?<|end|>")).to_be_visible()
    page.go_back()
    page.get_by_role("link", name="What the log keeps").click()
    expect(page.get_by_role("cell", name="GardenApp/2.1 (OpenAI/Python 3.54)")).to_be_visible()


@pytest.mark.parametrize("path", ["/-/thread/last", "/-/turn/last", "/-/privacy", "garden"])
def test_accessibility(garden: Served, surfing: Surfing, path: str) -> None:
    log = TurnLog(garden.database)
    first = next(iter(log.db.query("select min(thread_id) as id from turns")))["id"]
    log.db.close()
    path = f"/-/thread/{first}" if path == "garden" else path
    page = surfing(garden.url, viewport=PHONE).open(f"{garden.url}/logs{path}")
    check_accessibility(page)
    open_all(page)
    check_accessibility(page)


def test_a_phone_needs_no_sideways_scrolling(serve: Serve, surfing: Surfing, tmp_path: Path) -> None:
    log = TurnLog(tmp_path / "logs.db")
    wide = "|" + "a long cell|" * 9 + "\n|" + "-|" * 9 + "\n\n```\n" + "x" * 500 + "\n```\n" + "y" * 500
    log.write(
        user(wide), answer=assistant(reasoning(wide), wide, call("c1", look="z" * 500, text="a\n" + wide))
    )
    log.db.close()
    server = serve(DictatedEngine())
    page = surfing(server.url, viewport=PHONE).open(f"{server.url}/logs/-/turn/last")
    open_all(page)
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]


def test_hostile_texts_do_nothing(serve: Serve, surfing: Surfing, tmp_path: Path) -> None:
    "The fixture `surfing` sees requests to elsewhere, and what a policy had to stop."
    log = TurnLog(tmp_path / "logs.db")
    messages = [system("\n\n".join(HOSTILE.values()))]
    for text in HOSTILE.values():
        messages += [user(text), assistant(reasoning(text), text, call(text, name=text, **{text: text}))]
        messages.append(result(text, text, name=text))
    log.write(
        *messages, answer=assistant("The end"), client=HOSTILE["a handler"], error="<script>x()</script>"
    )
    log.db.close()
    server = serve(DictatedEngine())
    surfer = surfing(server.url)
    for path in ("/-/turn/last", "/-/turn/last?page=1", "/-/thread/last", "/-/privacy"):
        page = surfer.open(f"{server.url}/logs{path}")
        open_all(page)
        assert page.locator("script, img, svg, iframe, form, style, base, object, embed").count() == 0
        schemes = page.eval_on_selector_all("main a[href]", "links => links.map(link => link.protocol)")
        assert {*schemes} <= {"http:", "https:", "mailto:"}
