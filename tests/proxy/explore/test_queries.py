"The ready queries, on a log that has something of each kind."

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from support.logged_turns import assistant, call, reasoning, result, system, user
from support.turn_logs import TurnLog

from proxy.explore.queries import QUERIES, ReadyQuery

# The turns of the log below are from 2026.
ALL = {"days": "100000", "turns": ""}
BY_NAME = {query.name: query for query in QUERIES}
LONG = "word " * 100


@pytest.fixture
def log(turn_log: TurnLog) -> Iterator[TurnLog]:
    """Four turns, of which the third has the longest prompt: a call with its result, a failure, a cut answer,
    and one without a text."""
    asked = assistant(reasoning("I should look."), call("c1", path="x"))
    question = [system("Be brief."), user("Where?")]
    tools = json.dumps({"messages": [], "tools": [{"type": "function", "name": LONG}]})
    written = [
        turn_log.write(
            *question, answer=asked, client="editor/1.0", actor="me:1", finish_reason="tool_calls"
        ),
        turn_log.write(user("Hi"), client="curl/8", status=503, error="The engine does not answer."),
        turn_log.write(
            *(*question, asked, result("c1", "there")),
            answer=assistant("In the"),
            client="editor/1.0",
            actor="me:1",
            finish_reason="length",
            body=tools,
        ),
        turn_log.write(user("Say nothing"), answer=assistant(reasoning("Fine.")), finish_reason="stop"),
    ]
    for number, turn in enumerate(written):
        details = {
            "reasoning_tokens": 4,
            "cached_tokens": 50,
            "tokens_per_second": 10.0 * (number + 1),
            "time_to_first_token_ms": 100 * (number + 1),
        }
        notes = [{"kind": "length"}, {"kind": "repaired"}] if number == 2 else []
        response = {"outcome": {"finish_reason": None, "notes": notes}}
        turn_log.db.execute(
            "update turns set input_tokens = ?, output_tokens = 5, duration_ms = ?, token_details = ?, "
            "response_json = ?, options_json = ? where id = ?",
            [
                *(100 if number == 2 else 20, 1000 * (number + 1), json.dumps(details), json.dumps(response)),
                *('{"reasoning_effort": "high"}' if number == 3 else "{}", turn.id),
            ],
        )
    turn_log.db.conn.commit()
    yield turn_log
    turn_log.db.close()


def ask(log: TurnLog, query: ReadyQuery, **parameters: Any) -> list[dict[str, Any]]:
    cursor = log.db.conn.execute(query.sql, ALL | parameters if ":days" in query.sql else {})
    names = [column for column, *_ in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor]


def column(rows: list[dict[str, Any]], *names: str) -> list[Any]:
    return [tuple(row[name] for name in names) if len(names) > 1 else row[names[0]] for row in rows]


@pytest.mark.parametrize(
    ("name", "columns", "expected"),
    [
        pytest.param(
            "latest",
            ["app", "status", "prompt", "answer"],
            [
                ("unknown", 200, "Say nothing", None),
                ("editor", 200, "Where?", "In the"),
                ("curl", 503, "Hi", None),
                ("editor", 200, "Where?", None),
            ],
            id="latest",
        ),
        pytest.param(
            "apps",
            ["app", "actor", "turns", "failed", "output_tokens"],
            [("editor", "me:1", 2, 0, 10), ("curl", None, 1, 1, 5), ("unknown", None, 1, 0, 5)],
            id="apps",
        ),
        pytest.param(
            "tokens",
            ["day", "effort", "turns", "input_tokens", "reasoning_tokens"],
            [("2026-08-01", "medium", 3, 140, 12), ("2026-08-01", "high", 1, 20, 4)],
            id="tokens",
        ),
        pytest.param("speed", ["tokens_per_second"], [40.0, 30.0, 20.0, 10.0], id="speed"),
        pytest.param(
            "effort",
            ["effort", "turns", "tokens_per_second", "first_token_ms", "slow_first_token_ms"],
            [("medium", 3, 20.0, 200, 300), ("high", 1, 40.0, 400, 400)],
            id="effort",
        ),
        pytest.param(
            "problems",
            ["problem", "turns"],
            [("failed", 1), ("length", 1), ("repaired", 1)],
            id="problems",
        ),
        pytest.param(
            "failures",
            ["status", "error", "notes"],
            [(200, None, "length, repaired"), (503, "The engine does not answer.", None)],
            id="failures",
        ),
        pytest.param("slowest", ["duration_ms"], [4000, 3000, 2000, 1000], id="slowest"),
        pytest.param(
            "slowest", ["prompt"], ["Say nothing", "Where?", "Hi", "Where?"], id="slowest: what was asked"
        ),
        pytest.param(
            "cache",
            ["app", "cached_tokens", "cached_percent"],
            [("editor", 100, 83.3), ("curl", 50, 250.0), ("unknown", 50, 250.0)],
            id="cache",
        ),
        pytest.param(
            "tools",
            ["tool_name", "arguments", "output"],
            [("look", '{"path":"x"}', "there")],
            id="tools",
        ),
        pytest.param("unanswered", ["problem"], ["empty", "cut"], id="unanswered"),
    ],
)
def test_a_query(name: str, columns: list[str], expected: list[Any], log: TurnLog) -> None:
    assert column(ask(log, BY_NAME[name]), *columns) == expected


def test_what_fills_a_context(log: TurnLog) -> None:
    rows = [row for row in ask(log, BY_NAME["contexts"]) if row["input_tokens"] == 100]
    characters = dict(column(rows, "kind", "characters"))
    assert characters.pop("tools") > len(LONG)
    assert characters.pop("tool results") >= len("there")
    assert characters.pop("tool calls") > 0
    # The turn goes on after its call, so its reasoning is in the prompt.
    assert characters == {"instructions": 9, "user": 6, "reasoning": 14}
    assert sum(column(rows, "estimated_tokens")) == pytest.approx(100, abs=3)


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.name)
def test_each_query_on_an_empty_log(query: ReadyQuery, turn_log: TurnLog) -> None:
    assert ask(turn_log, query) == []
    turn_log.db.close()


def test_days_and_turns_limit_a_query(log: TurnLog) -> None:
    slowest = BY_NAME["slowest"]
    assert column(ask(log, slowest, turns="2"), "duration_ms") == [4000, 3000]
    assert column(ask(log, slowest, turns=1, days=100000), "duration_ms") == [4000]
    log.db.execute("update turns set datetime_utc = '2001-01-01T00:00:00+00:00' where duration_ms > 2000")
    assert column(ask(log, slowest, days="9000"), "duration_ms") == [2000, 1000]


async def test_pages_of_queries(log: TurnLog, browser: httpx.AsyncClient) -> None:
    for query in QUERIES:
        page = await browser.get(f"/logs/log/{query.name}?days=100000")
        assert (page.status_code, query.title in page.text) == (200, True), query.name
        rows = (await browser.get(f"/logs/log/{query.name}.json?days=100000")).json()["rows"]
        assert len(rows) == len(ask(log, query)), query.name


async def test_the_boxes_of_a_query_hold_what_it_uses(log: TurnLog, browser: httpx.AsyncClient) -> None:
    page = (await browser.get("/logs/log/tokens?turns=5&days=")).text
    assert re.findall(r'name="(days|turns)" value="([^"]*)"', page) == [("days", "30"), ("turns", "5")]
    assert not re.findall(r'name="(?:days|turns)"', (await browser.get("/logs/log/latest")).text)
