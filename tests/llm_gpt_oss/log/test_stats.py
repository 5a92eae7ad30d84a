from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from llm_gpt_oss.log import stats
from llm_gpt_oss.log.database import open_database
from llm_gpt_oss.log.stats import Stats, read_stats

OUTCOME = {"outcome": {"finish_reason": "stop", "notes": []}, "engine": "ollama"}


class Log:
    "A log with turns of which only the numbers matter."

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self._turns = 0

    def turn(
        self,
        day: str = "2026-03-01",
        response: Any = OUTCOME,
        request: dict[str, Any] | None = None,
        details: dict[str, Any] | None = None,
        **columns: Any,
    ) -> None:
        self._turns += 1
        row = {
            "id": f"{self._turns:026}",
            "model": "gpt-oss:20b",
            "datetime_utc": f"{day}T12:00:00+00:00",
            "response_json": json.dumps(response),
            "token_details": json.dumps(details),
            "input_tokens": 10,
            "output_tokens": 5,
            **columns,
        }
        self._insert("turns", row)
        if request is not None:
            kept = {"endpoint": "/v1/responses", "status": 200, "stored": 0, "request": "{}", "continues": 0}
            self._insert("gpt_oss_requests", {"turn_id": row["id"], "datetime_utc": "", **kept, **request})

    def _insert(self, table: str, row: dict[str, Any]) -> None:
        values = ", ".join("?" * len(row))
        self.connection.execute(f"insert into {table} ({', '.join(row)}) values ({values})", [*row.values()])

    def read(self, *by: str, since: str = "", benchmarks: bool = False) -> list[Stats]:
        groups, _ = read_stats(self.connection, by, since, benchmarks=benchmarks)
        return groups

    def counts(self, *by: str, **filters: Any) -> dict[Any, int]:
        "How many turns each group has."
        return {
            group.key[0] if len(by) == 1 else group.key: group.turns for group in self.read(*by, **filters)
        }


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    with closing(open_database(tmp_path / "logs.db", busy_timeout=0)) as database:
        yield Log(database.conn)


def test_numbers(log: Log) -> None:
    speeds = [(100, 10.0), (300, 30.0), (200, 20.0)]
    for first, rate in speeds:
        log.turn(details={"reasoning_tokens": 2, "time_to_first_token_ms": first, "tokens_per_second": rate})
    (group,) = log.read("model")
    assert group == Stats(("gpt-oss:20b",), 3, 0, 30, 6, 9, 200, 20.0)


def test_unknown_numbers(log: Log) -> None:
    log.turn(input_tokens=None, output_tokens=None, details={"tokens_per_second": "fast"})
    assert log.read("engine") == [Stats(("ollama",), 1, 0, 0, 0, 0, None, None)]


def test_an_empty_log(log: Log) -> None:
    assert read_stats(log.connection, ["day"]) == ([], Stats((), 0, 0, 0, 0, 0, None, None))


@pytest.mark.parametrize(
    ("by", "groups"),
    [
        pytest.param("day", {"2026-03-01": 2, "2026-03-02": 1}, id="day"),
        pytest.param("model", {"gpt-oss:120b": 1, "gpt-oss:20b": 2}, id="model"),
        pytest.param("effort", {"high": 1, "medium": 2}, id="effort"),
        pytest.param("app", {"codex": 1, "shell": 2}, id="app"),
        pytest.param("engine", {"embedded": 1, "ollama": 1, None: 1}, id="engine"),
        pytest.param("key", {"me:1": 1, None: 2}, id="key"),
    ],
)
def test_groups(log: Log, by: str, groups: dict[Any, int]) -> None:
    log.turn(
        options_json='{"reasoning_effort": "high"}', request={"client": "codex/1.2 (x)", "actor": "me:1"}
    )
    log.turn(day="2026-03-02", response={**OUTCOME, "engine": "embedded"})
    log.turn(model="gpt-oss:120b", response={"outcome": {}})
    assert log.counts(by) == groups
    assert [*log.counts(by)] == [*groups]  # in order, the unknown last


def test_several_groups(log: Log) -> None:
    log.turn()
    log.turn(day="2026-03-02")
    log.turn(day="2026-03-02", model="gpt-oss:120b")
    assert log.counts("model", "day") == {
        ("gpt-oss:120b", "2026-03-02"): 1,
        ("gpt-oss:20b", "2026-03-01"): 1,
        ("gpt-oss:20b", "2026-03-02"): 1,
    }


def test_failures(log: Log) -> None:
    log.turn(response={**OUTCOME, "error": "It broke."})
    log.turn(request={"status": 499})
    log.turn(request={"status": 200})
    log.turn(request={"status": 503, "error": "No engine."}, response=None)  # failed before the model began
    (group,) = log.read("model")
    assert (group.turns, group.failed) == (4, 3)


def test_other_plugins_do_not_count(log: Log) -> None:
    log.turn(response={"choices": []})
    log.turn(response=None)
    assert log.read("model") == []


def test_since(log: Log) -> None:
    log.turn(day="2026-02-28")
    log.turn(day="2026-03-01")
    assert log.counts("day", since="2026-03-01T00:00:00+00:00") == {"2026-03-01": 1}


def test_benchmarks_count_only_if_asked_for(log: Log) -> None:
    log.turn(response={**OUTCOME, "benchmark": {"id": "x"}})
    log.turn()
    assert log.counts("model") == {"gpt-oss:20b": 1}
    assert log.counts("model", benchmarks=True) == {"gpt-oss:20b": 2}


def test_a_long_log_is_read_in_portions(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stats, "CHUNK", 2)
    for number in range(5):
        log.turn(day=f"2026-03-0{1 + number % 2}", details={"time_to_first_token_ms": 100 * number})
    groups, total = read_stats(log.connection, ["day"])
    assert [(group.key, group.turns, group.first_token_ms) for group in groups] == [
        (("2026-03-01",), 3, 200),
        (("2026-03-02",), 2, 100),
    ]
    assert (total.turns, total.first_token_ms) == (5, 200)


def test_long_times_are_rounded(log: Log) -> None:
    log.turn(details={"time_to_first_token_ms": 12_345})
    assert log.read("model")[0].first_token_ms == 12_300
