"""One app for all examples of a property test.

An example cannot await, so this runs each request to its end on an event loop of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import AbstractAsyncContextManager
from typing import Any

import httpx
from hypothesis import HealthCheck, settings

one_app_for_all = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


class FuzzedApp:
    "The app that `context` runs. `opened` is what the context yields."

    def __init__(self, context: AbstractAsyncContextManager[Any]) -> None:
        self._loop = asyncio.new_event_loop()
        self._context = context
        self.opened = self.run(context.__aenter__())

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self._loop.run_until_complete(work)

    def close(self) -> None:
        self.run(self._context.__aexit__(None, None, None))
        self._loop.close()


def check_error(answer: httpx.Response) -> None:
    "An answer that is not a 200 is an error object, and no longer than a person can read."
    assert answer.json()["error"].keys() == {"message", "type", "param", "code"}
    assert len(answer.content) < 2000
