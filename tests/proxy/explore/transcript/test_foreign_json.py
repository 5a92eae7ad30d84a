"What another program wrote into a turn does not fail the pages of it and of its thread."

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from support.foreign_json import INNER, VALUES, in_object
from support.logged_turns import assistant, call, user
from support.turn_logs import TurnLog

Get = Callable[[str], Awaitable[Any]]

COLUMNS = ["response_json", "token_details", "options_json", "input_tokens", "output_tokens", "duration_ms"]
PATHS = [
    *("response_json.outcome", "response_json.outcome.notes", "response_json.outcome.finish_reason"),
    *("response_json.error", "response_json.engine", "response_json.completions"),
    *(f"token_details.{name}" for name in ("reasoning_tokens", "tokens_per_second", "cached_tokens")),
    *("token_details.time_to_first_token_ms", "token_details.prompt_tokens_details"),
    "options_json.reasoning_effort",
]
CHANGES = [pytest.param([(name, value.values[0]) for value in VALUES], id=name) for name in COLUMNS] + [
    pytest.param([in_object(path, value.values[0]) for value in INNER], id=path) for path in PATHS
]


@pytest.mark.parametrize("changes", CHANGES)
async def test_pages(log: TurnLog, get: Get, changes: list[tuple[str, object]]) -> None:
    written = log.write(user("Hi"), answer=assistant("Hello", call("1")))
    log.db["gpt_oss_requests"].update(written.id, {"finish_reason": None, "first_token_ms": None})
    for column, value in changes:
        log.db["turns"].update(written.id, {column: value})
        page = await get(f"/-/turn/{written.id}")
        assert (page.status_code, "Hello" in page.text) == (200, True), value
