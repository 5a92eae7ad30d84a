"""Chromium as the system has it, without a window.

with launched(why_not=pytest.skip) as browser:
    page = browser.new_page()
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn

from playwright.sync_api import Browser, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")


@contextmanager
def launched(missing: Callable[[str], NoReturn]) -> Iterator[Browser]:
    "Calls `missing` with the reason if there is no Chromium."
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        missing("Chromium is not installed: apt-get install chromium")
    # Chromium refuses to run as root without this, as in a container.
    arguments = ["--no-sandbox"] if hasattr(os, "getuid") and os.getuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=arguments)
        try:
            yield browser
        finally:
            browser.close()
