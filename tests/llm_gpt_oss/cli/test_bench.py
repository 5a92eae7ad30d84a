from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from typing import Any

import click
import llm
import pytest
from support.commands import run
from support.counting_engine import CountingEngine

from llm_gpt_oss.cli import bench
from llm_gpt_oss.errors import EngineUnreachable

# Turns that come before those that are measured.
WARM_UP = 2


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Callable[..., CountingEngine]:
    return lambda **options: CountingEngine(completion_ms=100.0, **options).put(monkeypatch)


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "is_terminal", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")


def logged() -> list[Any]:
    path = llm.user_dir() / "logs.db"
    if not path.exists():
        return []
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("select json_extract(response_json, '$.benchmark') from turns order by id")
        return [json.loads(row[0]) for row in rows]


def test_a_pipe_gets_tabs(engine: Callable[..., CountingEngine]) -> None:
    used = engine()
    result = run("bench", "--runs", "1", "--effort", "low,high", "--prompt-tokens", "200,100")
    head, *rows = [line.split("\t") for line in result.stdout.splitlines()]
    assert head[:6] == [
        "effort",
        "prompt_tokens",
        "input_tokens",
        "first_token_ms",
        "cached_first_token_ms",
        "tokens_per_second",
    ]
    assert [row[:3] for row in rows] == [
        ["low", "200", "200"],
        ["low", "100", "100"],
        ["high", "200", "200"],
        ["high", "100", "100"],
    ]
    assert {row[5] for row in rows} == {"70.0"}
    assert [row[6:] for row in rows] == [[""] * 4] * 4
    assert (result.stderr, result.exit_code, used.opened) == ("", 0, 1)


def test_turns_are_logged_and_compared(engine: Callable[..., CountingEngine]) -> None:
    engine()
    first = json.loads(run("bench", "--runs", "2", "--prompt-tokens", "200", "--json").stdout)
    second = json.loads(run("bench", "--runs", "2", "--prompt-tokens", "200", "--json").stdout)
    (before,), (now,) = first["results"], second["results"]
    assert before["earlier"] is None
    assert now["earlier"].pop("day")
    assert now["earlier"] == {name: before[name] for name in now["earlier"]}
    assert (now["effort"], now["prompt_tokens"], now["input_tokens"]) == ("medium", 200, 200)
    assert {name: first[name] for name in ("model", "engine", "runs", "tokens")} == {
        "model": "gpt-oss:20b",
        "engine": "ollama",
        "runs": 2,
        "tokens": 64,
    }
    marks = logged()
    assert [mark["id"] for mark in marks] == [first["id"]] * 4 + [second["id"]] * 4
    assert [mark["cached"] for mark in marks] == [False, True] * 4


def test_options_of_the_engine(engine: Callable[..., CountingEngine]) -> None:
    used = engine()
    options = ("-m", "gpt-oss:120b", "--tokens", "7", "--num-ctx", "4096")
    result = run("bench", *options, "--runs", "1", "--json", "--prompt-tokens", "100")
    assert json.loads(result.stdout)["model"] == "gpt-oss:120b"
    assert {(each.model, each.max_tokens, each.context_length) for each in used.asked} == {
        ("gpt-oss:120b", 7, 4096)
    }


def test_a_terminal_gets_a_table_with_bars(engine: Callable[..., CountingEngine], terminal: None) -> None:
    engine()
    options = ("bench", "--runs", "1", "--prompt-tokens", "100")
    first, second = run(*options).stdout, run(*options).stdout
    assert max(map(len, second.splitlines())) <= 80
    *_, row = first.splitlines()
    assert row.split()[:2] == ["medium", "100"]
    assert row.endswith(f"70.0  {'█' * 14}")  # the only row has the longest bar
    assert "before" not in first
    head, change = second.splitlines()[-3], second.splitlines()[-1]
    assert head.split() == ["effort", "tokens", "before", "token", "now", "per", "s", "now"]
    assert change.split()[-4:] == ["70.0", "70.0", "+0", "%"]


def test_a_change_has_a_sign(
    engine: Callable[..., CountingEngine], terminal: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ("bench", "--runs", "1", "--prompt-tokens", "100")
    engine()
    run(*options)
    CountingEngine(completion_ms=200.0).put(monkeypatch)
    assert run(*options).stdout.splitlines()[-1].split()[-4:] == ["70.0", "35.0", "-50", "%"]


def test_without_the_log(engine: Callable[..., CountingEngine]) -> None:
    engine()
    assert run("bench", "--runs", "1", "--prompt-tokens", "100", "--no-log").exit_code == 0
    (llm.user_dir() / "logs-off").touch()
    result = run("bench", "--runs", "1", "--prompt-tokens", "100")
    assert "not logged, so they are not compared" in result.stderr
    assert result.exit_code == 0
    assert logged() == []


def test_a_log_that_cannot_be_opened(engine: Callable[..., CountingEngine]) -> None:
    engine()
    (llm.user_dir() / "logs.db").write_text("no database" * 1000)
    result = run("bench", "--runs", "1", "--prompt-tokens", "100")
    assert "neither logged nor compared" in result.stderr
    assert "file is not a database" in result.stderr
    assert (result.exit_code, len(result.stdout.splitlines())) == (0, 2)


def test_a_log_that_is_locked_meanwhile(
    engine: Callable[..., CountingEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise sqlite3.OperationalError("database is locked")

    engine()
    monkeypatch.setattr(bench, "log_run", fail)
    result = run("bench", "--runs", "1", "--prompt-tokens", "100")
    assert result.stderr == "A turn was not logged: database is locked.\n" * 2
    assert len(result.stdout.splitlines()) == 2


def test_a_prompt_that_is_too_long(engine: Callable[..., CountingEngine]) -> None:
    "The others are measured all the same."
    used = engine(context=300)
    result = run("bench", "--runs", "3", "--prompt-tokens", "500,100")
    assert [line.split("\t")[1] for line in result.stdout.splitlines()] == ["prompt_tokens", "100"]
    assert result.stderr == "medium, 500 tokens: The prompt is too long. Shorten it.\n"
    assert result.exit_code == 1
    assert len(used.asked) == WARM_UP + 1 + 3 * 2  # the long one is tried once
    report = json.loads(run("bench", "--prompt-tokens", "500", "--json").stdout)
    (row,) = report["results"]
    assert (row["error"], row["first_token_ms"]) == ("The prompt is too long. Shorten it.", None)


def test_no_engine(engine: Callable[..., CountingEngine]) -> None:
    engine(errors={1: EngineUnreachable("Ollama does not answer.", remedy="Start it.")})
    result = run("bench")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "Ollama does not answer. Start it." in result.stderr


def test_ctrl_c_shows_what_was_measured(engine: Callable[..., CountingEngine]) -> None:
    engine(errors={WARM_UP + 5: KeyboardInterrupt()})
    result = run("bench", "--prompt-tokens", "100,200", "--runs", "5")
    assert [line.split("\t")[1] for line in result.stdout.splitlines()] == ["prompt_tokens", "100", "200"]
    assert (result.stderr, result.exit_code) == ("Stopped.\n", 130)
    assert len(logged()) == 4


def test_ctrl_c_before_anything_was_measured(engine: Callable[..., CountingEngine]) -> None:
    engine(errors={1: KeyboardInterrupt()})
    result = run("bench")
    assert (result.stdout, result.stderr, result.exit_code) == ("", "Stopped.\n", 130)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param(("--effort", "low,fast"), "'low,fast' is no list such as low,high", id="effort"),
        pytest.param(("--effort", ","), "',' is no list such as low,high", id="no effort"),
        pytest.param(("--prompt-tokens", "100,x"), "'100,x' is no list of numbers", id="no number"),
        pytest.param(("--prompt-tokens", "0"), "'0' is no list of numbers", id="zero"),
        pytest.param(("--prompt-tokens", "999999"), "each up to 120000", id="too many"),
        pytest.param(("--prompt-tokens", ""), "'' is no list of numbers", id="nothing"),
    ],
)
def test_invalid_options(options: tuple[str, ...], message: str) -> None:
    result = run("bench", *options)
    assert (result.exit_code, message in " ".join(result.stderr.split())) == (2, True)


def test_progress_on_a_terminal(
    engine: Callable[..., CountingEngine], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    engine()
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    monkeypatch.setenv("FORCE_COLOR", "1")
    command = bench.command
    with pytest.raises(SystemExit):
        command(["--runs", "1", "--prompt-tokens", "100", "--no-log"])
    printed = capsys.readouterr()
    assert "medium, 100 tokens, 1 of 1" in printed.err
    assert isinstance(command, click.Command)
    assert len(printed.out.splitlines()) == 2
