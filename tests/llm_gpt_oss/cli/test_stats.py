from __future__ import annotations

import csv
import io
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import llm
import pytest
from support.commands import run

from llm_gpt_oss.cli import read_log, stats
from llm_gpt_oss.log.database import open_database

DETAILS = {"reasoning_tokens": 2, "time_to_first_token_ms": 120, "tokens_per_second": 21.5}
ROW = {
    "turns": 1,
    "failed": 0,
    "prompt_tokens": 10,
    "reasoning_tokens": 2,
    "answer_tokens": 3,
    "first_token_ms": 120,
    "tokens_per_second": 21.5,
}


@pytest.fixture
def path() -> Path:
    path: Path = llm.user_dir() / "logs.db"
    with closing(open_database(path, busy_timeout=0)):
        return path


def add_turn(path: Path, when: str = "2026-03-01T12:00:00+00:00", **columns: Any) -> None:
    row = {
        "id": when,
        "model": "gpt-oss:20b",
        "datetime_utc": when,
        "response_json": json.dumps({"outcome": {}, "engine": "ollama"}),
        "token_details": json.dumps(DETAILS),
        "input_tokens": 10,
        "output_tokens": 5,
        **columns,
    }
    with closing(sqlite3.connect(path)) as connection, connection:
        values = ", ".join("?" * len(row))
        connection.execute(f"insert into turns ({', '.join(row)}) values ({values})", [*row.values()])


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stats, "is_terminal", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")


def test_a_pipe_gets_tabs(path: Path) -> None:
    add_turn(path)
    assert run("stats").stdout == "\n".join(
        [
            "\t".join(["day", *ROW]),
            "\t".join(["2026-03-01", *map(str, ROW.values())]),
            "",
        ]
    )


def test_json(path: Path) -> None:
    add_turn(path)
    add_turn(path, "2026-03-02T12:00:00+00:00", token_details=None)
    first, second = json.loads(run("stats", "--by", "model", "--by", "day", "--json").stdout)
    assert first == {"model": "gpt-oss:20b", "day": "2026-03-01", **ROW}
    assert second["first_token_ms"] is None


def test_csv(path: Path) -> None:
    add_turn(path, model="odd, name")
    (row,) = csv.DictReader(io.StringIO(run("stats", "--by", "model", "--csv").stdout))
    assert row == {"model": "odd, name", **{name: str(value) for name, value in ROW.items()}}


def test_json_and_csv() -> None:
    result = run("stats", "--json", "--csv")
    assert (result.exit_code, "not both" in result.stderr) == (2, True)


def test_a_terminal_gets_a_table(path: Path, terminal: None) -> None:
    for day in (1, 2):
        add_turn(path, f"2026-03-0{day}T12:00:00+00:00", output_tokens=15_000)
    add_turn(path, "2026-03-02T13:00:00+00:00", response_json='{"outcome": {}, "error": "It broke."}')
    lines = run("stats").stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert [line.split() for line in lines] == [
        ["first", "tokens"],
        ["day", "turns", "failed", "prompt", "reasoning", "answer", "token", "per", "s"],
        ["─" * len(lines[2])],
        ["2026-03-01", "1", "10", "2", "15.0k", "120", "ms", "21.5"],
        ["2026-03-02", "2", "1", "20", "4", "15.0k", "120", "ms", "21.5"],
        ["─" * len(lines[2])],
        ["total", "3", "1", "30", "6", "30.0k", "120", "ms", "21.5"],
    ]


def test_one_group_needs_no_total(path: Path, terminal: None) -> None:
    add_turn(path, response_json='{"outcome": {}}')
    assert (
        run("stats", "--by", "engine", "--by", "model")
        .stdout.splitlines()[-1]
        .startswith("unknown, gpt-oss:20b ")
    )


def test_names_cannot_change_the_terminal(path: Path, terminal: None) -> None:
    add_turn(path, model="\x1b[31m[red]x")
    assert "?[31m[red]x" in run("stats", "--by", "model").stdout


def test_since(path: Path) -> None:
    now = datetime.now(timezone.utc)
    for days in (1, 9):
        add_turn(path, (now - timedelta(days=days)).isoformat())
    assert json.loads(run("stats", "--since", "1w", "--by", "model", "--json").stdout)[0]["turns"] == 1
    assert "neither a time such as" in run("stats", "--since", "never").stderr


@pytest.mark.parametrize("options", [(), ("--since", "1h")])
def test_no_turns(path: Path, options: tuple[str, ...]) -> None:
    result = run("stats", *options)
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr.startswith("There are no turns")
    assert "llm -m gpt-oss 'Hi'" in result.stderr
    assert run("stats", "--json", *options).stdout == "[]\n"


def test_no_log() -> None:
    result = run("stats")
    assert result.exit_code == 1
    assert f"There is no log at {llm.user_dir() / 'logs.db'} yet." in result.stderr
    assert not (llm.user_dir() / "logs.db").exists()


def test_another_database(path: Path, tmp_path: Path) -> None:
    add_turn(path)
    moved = path.rename(tmp_path / "other.db")
    assert "gpt-oss:20b" in run("stats", "--by", "model", "-d", str(moved)).stdout


def test_a_log_without_views(log: Callable[..., Path]) -> None:
    "llm created it."
    add_turn(log())
    assert "2026-03-01" in run("stats").stdout


def test_a_log_that_cannot_get_views(log: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    def open_read_only(path: Path, *, busy_timeout: int) -> Any:
        raise sqlite3.OperationalError("attempt to write a readonly database")

    path = log()
    monkeypatch.setattr(read_log, "open_database", open_read_only)
    assert f"The log {path} has no views of this version" in run("stats").stderr


def test_a_locked_log(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read_log, "PATIENCE", 1)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("begin exclusive")
        result = run("stats")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == f"Error: Another program has locked the log {path}. Try again when it is done.\n"


def test_no_database(tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("no database" * 1000)
    result = run("stats", "-d", str(file))
    assert f"The log {file} cannot be read: file is not a database." in result.stderr
