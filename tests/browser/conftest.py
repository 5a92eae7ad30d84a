"""Pages in a real browser, which fails a test that leaves an error in the console or asks another host.

The tests are not async: Playwright's loop runs in their thread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import httpx
import pytest
from support.proxy_thread import proxy_thread

from proxy.app import create_app
from proxy.settings import Settings

pytest.importorskip("playwright", reason="Playwright is not installed: it is in the group dev")
pytest.importorskip("axe_playwright_python", reason="axe is not installed: it is in the group dev")

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import ConsoleMessage, Dialog, Error, Page, Route, ViewportSize
from support.chromium import launched

DESKTOP: ViewportSize = {"width": 1280, "height": 720}
THEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")


@pytest.fixture(scope="package")
def tab() -> Iterator[Page]:
    "The one page of all tests. A new browser context costs a second, as it begins new processes."
    with launched(pytest.skip) as browser:
        tab = browser.new_page()
        tab.context.set_default_timeout(15_000)
        yield tab


@dataclass
class Surfer:
    """Opens pages. `problems` are the errors so far; a test removes those that it expects."""

    page: Page
    problems: list[str] = field(default_factory=list)

    def open(self, url: str) -> Page:
        self.page.goto(url)
        return self.page

    def expect(self, text: str) -> None:
        "Remove a problem, which must be there."
        matching = [problem for problem in self.problems if text in problem]
        assert matching, self.problems
        self.problems = [problem for problem in self.problems if text not in problem]

    def on_console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.problems.append(message.text)

    def on_error(self, error: Error) -> None:
        self.problems.append(str(error))

    def on_dialog(self, dialog: Dialog) -> None:
        self.problems.append(dialog.message)
        dialog.dismiss()

    def on_foreign_request(self, route: Route) -> None:
        self.problems.append(f"a request to {route.request.url}")
        route.abort()


Surfing = Callable[..., Surfer]


@pytest.fixture
def surfing(tab: Page) -> Iterator[Surfing]:
    "Return a function that returns a surfer without cookies, for pages of the server at `url`."
    surfer = Surfer(tab)
    listeners: dict[Any, Any] = {
        "console": surfer.on_console,
        "pageerror": surfer.on_error,
        "dialog": surfer.on_dialog,
    }

    def surf(url: str, viewport: ViewportSize = DESKTOP) -> Surfer:
        own = (f"{url}/", "data:", "blob:")
        tab.context.route(lambda target: not target.startswith(own), surfer.on_foreign_request)
        tab.set_viewport_size(viewport)
        return surfer

    for event, listener in listeners.items():
        tab.on(event, listener)
    yield surf
    tab.goto("about:blank")
    for event, listener in listeners.items():
        tab.remove_listener(event, listener)
    tab.context.unroute_all()
    tab.context.clear_cookies()
    assert surfer.problems == []


@dataclass(frozen=True)
class Served:
    url: str
    database: Path

    def post(self, path: str, body: Any, headers: Any = None) -> httpx.Response:
        with httpx.Client(base_url=self.url, timeout=30) as client:
            return client.post(path, json={"model": "gpt-oss:20b", **body}, headers=headers)


Serve = Callable[..., Served]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    "Return a function that starts a server with an engine. Its other arguments are fields of the Settings."
    with ExitStack() as stack:

        def served(engine: Any, **settings: Any) -> Served:
            database = tmp_path / "logs.db"
            app = create_app(Settings(database=database, **settings), engine=engine)
            return Served(stack.enter_context(proxy_thread(app)), database)

        yield served


def check_accessibility(page: Page, *except_for: str) -> None:
    "Fail if axe finds violations of other rules than `except_for`, in light or dark."
    page.evaluate(AXE_SCRIPT)
    for theme in THEMES:
        page.emulate_media(color_scheme=theme)
        violations = {
            each["id"]: [node["html"][:200] + " " + node.get("failureSummary", "") for node in each["nodes"]]
            for each in page.evaluate(
                "axe.run({resultTypes: ['violations']}).then(results => results.violations)"
            )
            if each["id"] not in except_for
        }
        assert violations == {}, (page.url, theme)
