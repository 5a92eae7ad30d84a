"The pages of a log, as an admin's browser sees them."

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import llm
import pytest
from fastapi import FastAPI
from support.log_pages import browsing
from support.turn_logs import TurnLog


@pytest.fixture(autouse=True)
def datasette() -> Any:
    "Skips the test where the extra is not installed."
    pytest.importorskip("datasette_dashboards")
    return pytest.importorskip("datasette")


@pytest.fixture
def log_path() -> Path:
    "The log that `app_with` has."
    return llm.user_dir() / "logs.db"


@pytest.fixture
def turn_log(app: FastAPI, log_path: Path) -> TurnLog:
    return TurnLog(log_path)


@pytest.fixture
def app(app_with: Callable[..., FastAPI]) -> FastAPI:
    return app_with()


@pytest.fixture
async def browser(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with browsing(app) as client:
        yield client
