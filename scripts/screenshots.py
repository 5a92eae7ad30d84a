"""Takes the pictures of the documentation again, of pages of a real server. Needs Chromium.

.venv/bin/python scripts/screenshots.py
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))
# Before llm is imported, which reads it: the pictures show nothing of whoever takes them.
os.environ["LLM_USER_PATH"] = tempfile.mkdtemp(prefix="llm-gpt-oss-")

from playwright.sync_api import Browser, Page, expect  # noqa: E402
from support.chromium import launched  # noqa: E402
from support.coding_session import CodingSession  # noqa: E402
from support.dictated_engine import DictatedEngine  # noqa: E402
from support.proxy_thread import proxy_thread  # noqa: E402

from proxy.app import create_app  # noqa: E402
from proxy.http import api_keys  # noqa: E402
from proxy.settings import Settings  # noqa: E402

DOCS = ROOT / "docs"
# The name of the key of each app.
KEYS = {"opencode": "laptop", "OpenWebUI": "family", "claude-cli": "desktop", "Zed": "notebook"}
# What is not in the documentation is only looked at.
VARIANTS = {
    "light": {"color_scheme": "light", "viewport": {"width": 1100, "height": 760}},
    "dark": {"color_scheme": "dark", "viewport": {"width": 1100, "height": 760}},
    "phone": {"color_scheme": "light", "viewport": {"width": 390, "height": 844}},
}


def missing(reason: str) -> NoReturn:
    sys.exit(reason)


def logged_in(browser: Browser, url: str, key: str, variant: str) -> Page:
    page = browser.new_context(**VARIANTS[variant]).new_page()
    page.goto(f"{url}/live")
    page.get_by_label("Key").fill(key)
    page.keyboard.press("Enter")
    return page


def take(page: Page, name: str, folder: Path) -> None:
    page.screenshot(path=folder / f"{name}.png", animations="disabled")
    print(folder / f"{name}.png")


def main(others: Path | None) -> None:
    "Write the pictures of the documentation, and all others into the folder `others`."
    keys = {app: api_keys.add(name) for app, name in KEYS.items()}
    admin = api_keys.add("me", admin=True)
    engine = DictatedEngine()
    database = Path(os.environ["LLM_USER_PATH"]) / "logs.db"
    app = create_app(Settings(database=database, max_concurrency=3), engine=engine)
    with launched(missing) as browser, proxy_thread(app) as url:
        session = CodingSession(url, engine, keys)
        session.play_ended()
        pages = {name: logged_in(browser, url, admin, name) for name in VARIANTS}
        with session.running():
            for name, page in pages.items():
                expect(page.locator("#summary")).to_have_text("3 running, 1 queued")
                page.wait_for_timeout(400)
                if name == "dark":
                    take(page, "live", DOCS)
                elif others:
                    take(page, f"live-{name}", others)
        session.close()
        turns = pages["light"].locator(".run", has=pages["light"].locator(".tool, .app", has_text="opencode"))
        transcript = turns.locator(".transcript").last.get_attribute("href")
        for name, page in pages.items():
            page.goto(f"{url}{transcript}")
            take(page, "transcript", DOCS) if name == "light" else others and take(
                page, f"transcript-{name}", others
            )
            page.goto(f"{url}/logs/")
            take(page, "logs", DOCS) if name == "light" else others and take(page, f"logs-{name}", others)
            if others:
                page.goto(f"{url}/login")
                take(page, f"logged-in-{name}", others)
                page.get_by_role("button", name="Log out").click()
                page.wait_for_url(f"{url}/login")
                take(page, f"login-{name}", others)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if sys.argv[1:] else None)
