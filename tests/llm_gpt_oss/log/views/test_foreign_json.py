"What another program wrote into one turn does not fail the views for the others."

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest
from support.empty_log import copy_empty_log
from support.foreign_json import INNER, VALUES, in_object
from support.logged_turns import assistant, call, result, user
from support.view_logs import ViewLog

from llm_gpt_oss.log.stats import GROUPS, read_stats

COLUMNS = ["response_json", "token_details", "options_json", "input_tokens", "output_tokens", "duration_ms"]
PATHS = [
    *("response_json.outcome", "response_json.outcome.notes", "response_json.outcome.finish_reason"),
    *("response_json.error", "response_json.engine", "response_json.benchmark"),
    *(f"token_details.{name}" for name in ("reasoning_tokens", "tokens_per_second", "cached_tokens")),
    *(f"token_details.{name}" for name in ("time_to_first_token_ms", "load_ms", "prompt_ms")),
    "options_json.reasoning_effort",
]


def check(log: ViewLog) -> None:
    "All rows of the views can be read, and summed."
    for view in ("gpt_oss_turns", "gpt_oss_messages", "gpt_oss_tool_calls", "gpt_oss_threads"):
        assert len(log.all(view)) >= 2
    sums = ", ".join(f"sum({name})" for name in ("input_tokens", "output_tokens", "reasoning_tokens"))
    log.db.execute(f"select {sums} from gpt_oss_turns").fetchall()
    for by in GROUPS:
        groups, total = read_stats(log.db.conn, [by])
        assert groups
        assert total.turns
        assert json.loads(json.dumps(total, allow_nan=False))


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ViewLog]:
    path = tmp_path_factory.mktemp("log") / "logs.db"
    with closing(sqlite3.connect(path)) as empty:
        copy_empty_log(empty)
    log = ViewLog(path)
    outcome = {"outcome": {"finish_reason": "stop", "notes": []}}
    for id in "abc":
        log.set(log.write(user(f"Hi {id}"), answer=assistant(call(id))), response_json=outcome)
    log.write(user("Hi c"), assistant(call("c")), result("c", "18"), answer=assistant("Warm"))
    yield log
    log.db.close()


@pytest.fixture
def log(written: ViewLog) -> Iterator[ViewLog]:
    "Four turns with calls of tools. Changes of a test are rolled back."
    yield written
    written.db.conn.rollback()


def change(log: ViewLog, column: str, value: object) -> None:
    "Write the value into two turns, so that sums of it can overflow."
    log.db.execute(
        f"update turns set {column} = ? where id in (select id from turns order by id desc limit 2)", [value]
    )


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("column", COLUMNS)
def test_a_column_of_turns(log: ViewLog, column: str, value: object) -> None:
    change(log, column, value)
    check(log)


@pytest.mark.parametrize("value", INNER)
@pytest.mark.parametrize("path", PATHS)
def test_a_value_in_a_column_of_turns(log: ViewLog, path: str, value: str) -> None:
    change(log, *in_object(path, value))
    check(log)


@pytest.mark.parametrize("count", [2**63 - 1, -5, 1.5e300])
def test_impossible_counts_are_null(log: ViewLog, count: float) -> None:
    change(log, "input_tokens", count)
    assert log.all("gpt_oss_turns", "input_tokens")[-1] is None
    check(log)


@pytest.mark.parametrize("value", VALUES)
def test_the_payload_of_parts(log: ViewLog, value: object) -> None:
    log.db.execute("update parts set payload = ?", [value])
    check(log)


@pytest.mark.parametrize("value", INNER)
@pytest.mark.parametrize("name", ["text_ref", "tool_call_id", "arguments", "output"])
def test_a_value_in_the_payload_of_parts(log: ViewLog, name: str, value: str) -> None:
    log.db.execute("update parts set text = null, payload = ?", [f'{{"{name}": {value}}}'])
    check(log)


def test_notes_that_are_invalid_are_left_out(log: ViewLog) -> None:
    text = '{"outcome": {"notes": ["a", {"kind": "length"}, 5, null, {"kind": "mended"}]}}'
    change(log, "response_json", text)
    assert log.all("gpt_oss_turns", "notes")[-1] == "length, mended"
