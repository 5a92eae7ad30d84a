from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import llm
import pytest
import sqlite_utils
from support.scripted_engine import ScriptedEngine

from llm_gpt_oss.bench.bench_log import Session, latest_earlier, log_run
from llm_gpt_oss.bench.results import Case, Run
from llm_gpt_oss.log.database import open_database
from llm_gpt_oss.models import GptOss
from llm_gpt_oss.settings import Settings

CASE = Case("low", 100)
SESSION = Session.new("box", "gpt-oss:20b", "ollama")


@pytest.fixture
def log(tmp_path: Path) -> Iterator[sqlite_utils.Database]:
    with closing(open_database(tmp_path / "logs.db", busy_timeout=0)) as database:
        yield database


def add(log: sqlite_utils.Database, session: Session, run: Run) -> None:
    model = GptOss(session.model, Settings.from_env({}), ScriptedEngine("<|channel|>final<|message|>Hello"))
    response = model.prompt("Hi", reasoning_effort=run.case.effort)
    for _ in response:
        pass
    log_run(log, session, response, run)


def run(first: float, *, cached: bool = False, case: Case = CASE) -> Run:
    return Run(case, cached, 101, 64, first, 20.0)


def test_a_turn_is_marked(log: sqlite_utils.Database) -> None:
    add(log, SESSION, run(123.0))
    (row,) = log.query("select gpt_oss_turns.*, response_json from gpt_oss_turns join turns on id = turn_id")
    assert (row["benchmark"], row["thread_name"], row["effort"]) == (1, "Benchmark of gpt-oss:20b", "low")
    assert json.loads(row["response_json"])["benchmark"] == {
        "id": SESSION.id,
        "machine": "box",
        "engine": "ollama",
        "effort": "low",
        "prompt_tokens": 100,
        "cached": False,
        "input_tokens": 101,
        "output_tokens": 64,
        "first_token_ms": 123.0,
        "tokens_per_second": 20.0,
    }


def test_llm_does_not_continue_it(log: sqlite_utils.Database) -> None:
    real = llm.Conversation(GptOss("gpt-oss:20b", Settings.from_env({})))
    log["threads"].insert({"id": real.id})
    add(log, Session.new("box", "gpt-oss:20b", "ollama"), run(1))
    assert next(log.query("select id from threads order by id desc limit 1"))["id"] == real.id


def test_the_last_time(log: sqlite_utils.Database) -> None:
    oldest, last = (Session.new(*SESSION[1:]) for _ in range(2))
    add(log, oldest, run(900))
    for first in (100, 300, 200):
        add(log, last, run(first))
        add(log, last, run(first / 10, cached=True))
    add(log, SESSION, run(1))
    earlier = latest_earlier(log.conn, SESSION, CASE)
    assert earlier
    assert (earlier.summary.first_token_ms, earlier.summary.cached_first_token_ms) == (200, 20)
    assert next(log.query("select max(datetime_utc) as time from turns"))["time"].startswith(earlier.day)


@pytest.mark.parametrize(
    ("session", "case"),
    [
        pytest.param(Session.new("laptop", "gpt-oss:20b", "ollama"), CASE, id="another machine"),
        pytest.param(Session.new("box", "gpt-oss:120b", "ollama"), CASE, id="another model"),
        pytest.param(Session.new("box", "gpt-oss:20b", "embedded"), CASE, id="another engine"),
        pytest.param(Session.new("box", "gpt-oss:20b", "ollama"), Case("high", 100), id="another effort"),
        pytest.param(Session.new("box", "gpt-oss:20b", "ollama"), Case("low", 200), id="another length"),
        pytest.param(SESSION, CASE, id="the same session"),
    ],
)
def test_only_the_same_is_compared(log: sqlite_utils.Database, session: Session, case: Case) -> None:
    add(log, session, run(100, case=case))
    assert latest_earlier(log.conn, SESSION, CASE) is None


@pytest.mark.parametrize("response", [None, '{"a": NaN}', "[]", "5", '{"benchmark": "yes"}'])
def test_other_turns_in_the_thread_are_no_benchmarks(
    log: sqlite_utils.Database, response: str | None
) -> None:
    row = {"id": "1", "thread_id": SESSION.thread_id, "model": SESSION.model, "response_json": response}
    log["turns"].insert(row)
    assert latest_earlier(log.conn, SESSION, CASE) is None
