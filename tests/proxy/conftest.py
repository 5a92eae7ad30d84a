"An app as a client finds it, with an empty log."

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anyio
import llm
import openai
import pytest
from fastapi import FastAPI
from support.empty_log import logs_are_copies, write_empty_log
from support.scripted_engine import AsyncScriptedEngine, Part

from proxy.api.responses import answer
from proxy.app import create_app
from proxy.settings import Settings


@pytest.fixture(scope="session")
def empty_log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("log") / "logs.db"
    write_empty_log(path)
    return path


@pytest.fixture(scope="module", autouse=True)
def copied_migrations() -> Iterator[None]:
    with logs_are_copies():
        yield


@pytest.fixture(scope="module", autouse=True)
def patient_streams() -> Iterator[None]:
    "An engine's error is an HTTP status, however slow the machine is."
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(answer, "REJECTION_SECONDS", 30)
        yield


@pytest.fixture(autouse=True)
def uvicorn_logs() -> None:
    "A server that ran in this process may have configured uvicorn's loggers for itself."
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.setLevel(logging.NOTSET)
        logger.propagate = True
        logger.handlers.clear()


@pytest.fixture
def app_with(empty_log: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., FastAPI]:
    "An app that logs where llm does. Without a script and another engine, it asks Ollama."
    monkeypatch.setenv("LLM_GPT_OSS_DATE", "2026-11-22")  # part of every prompt
    shutil.copy(empty_log, llm.user_dir() / "logs.db")

    def made(*script: Part, engine: Any = None, **settings: Any) -> FastAPI:
        given = replace(Settings.from_env(), host="testserver", **settings)
        return create_app(given, engine=AsyncScriptedEngine(*script) if script else engine)

    return made


@pytest.fixture
def sdk_waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    "The seconds that OpenAI's SDK would have slept before each retry."
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    # Only the SDK sees these: other threads of the process may sleep meanwhile.
    sync_time = SimpleNamespace(**{**vars(time), "sleep": waits.append})
    async_time = SimpleNamespace(**{**vars(anyio), "sleep": sleep})
    monkeypatch.setattr(openai._base_client, "time", sync_time)
    monkeypatch.setattr(openai._base_client, "anyio", async_time)
    return waits
