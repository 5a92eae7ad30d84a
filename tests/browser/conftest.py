"""Pages in a real browser, which fails a test that leaves an error in the console or asks another host.

The tests are not async: Playwright's loop runs in their thread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.proxy_thread import proxy_thread

from proxy.app import create_app
from proxy.settings import Settings

pytest.importorskip("playwright", reason="Playwright is not installed: it is in the group dev")
pytest.importorskip("axe_playwright_python", reason="axe is not installed: it is in the group dev")

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, Route
from support.chromium import launched

THEMES = ("light", "dark")


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    with launched(pytest.skip) as browser:
        yield browser


@dataclass
class Surfer:
    """Opens pages. `problems` are the errors so far; a test removes those that it expects."""

    context: BrowserContext
    problems: list[str] = field(default_factory=list)

    def open(self, url: str) -> Page:
        page = self.context.new_page()
        page.on("console", lambda message: self._console(message.type, message.text))
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.goto(url)
        return page

    def expect(self, text: str) -> None:
        "Remove a problem, which must be there."
        matching = [problem for problem in self.problems if text in problem]
        assert matching, self.problems
        self.problems = [problem for problem in self.problems if text not in problem]

    def _console(self, type: str, text: str) -> None:
        if type == "error":
            self.problems.append(text)


Surfing = Callable[..., Surfer]


@pytest.fixture
def surfing(chromium: Browser) -> Iterator[Surfing]:
    """Return a function that makes a browser with its own cookies, for pages of the server at `url`.

    Its other arguments are those of `Browser.new_context`.
    """
    surfers: list[Surfer] = []

    def surfer(url: str, **options: Any) -> Surfer:
        made = Surfer(chromium.new_context(**options))
        surfers.append(made)

        def elsewhere(route: Route) -> None:
            made.problems.append(f"a request to {route.request.url}")
            route.abort()

        made.context.route(lambda target: not target.startswith((f"{url}/", "data:", "blob:")), elsewhere)
        made.context.set_default_timeout(15_000)
        return made

    yield surfer
    for each in surfers:
        each.context.close()
    assert [each.problems for each in surfers] == [[]] * len(surfers)


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
    "Fail if axe finds violations of other rules than `except_for`."
    found = Axe().run(page).response["violations"]
    violations = {
        each["id"]: [node["html"][:200] + " " + node.get("failureSummary", "") for node in each["nodes"]]
        for each in found
        if each["id"] not in except_for
    }
    assert violations == {}, page.url
