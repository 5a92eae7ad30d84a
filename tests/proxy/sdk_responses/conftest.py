"A client of the Responses API, with Ollama's recorded answers or those of a script."

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from fastapi import FastAPI
from support.scripted_engine import Part
from support.sdk import cassette_name
from support.sdk_responses import HISTORY_FORMS, ResponsesClient

# Parameters that change nothing of what the engine receives.
SAME_REQUEST = {"sync", "async", *HISTORY_FORMS}


@pytest.fixture
def default_cassette_name(request: pytest.FixtureRequest) -> str:
    return cassette_name(request.node.name, SAME_REQUEST)


@pytest.fixture
def responses(opened: Callable[..., Any], app_with: Callable[..., FastAPI]) -> Iterator[ResponsesClient]:
    with opened(app_with(), max_retries=0) as sdk:
        yield ResponsesClient(sdk)


@pytest.fixture
def scripted(opened: Callable[..., Any], app_with: Callable[..., FastAPI]) -> Callable[..., Any]:
    "Opens a client for an engine that plays a script."

    @contextmanager
    def started(*script: Part, max_retries: int = 0, **settings: Any) -> Iterator[ResponsesClient]:
        with opened(app_with(*script, **settings), max_retries=max_retries) as sdk:
            yield ResponsesClient(sdk)

    return started
