from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner
from support.commands import run
from support.logged_turns import assistant, user
from support.pruned_logs import Log, opened
from support.turn_logs import TurnLog

from llm_gpt_oss.cli import gpt_oss
from llm_gpt_oss.log.database import write_transaction
from proxy.cli import logs_import
from proxy.settings import Settings

LINE = {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]}


@pytest.fixture
def log() -> Iterator[Log]:
    "The log that the commands use."
    with opened(Settings().database) as log:
        yield log


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "train.jsonl"
    path.write_text(json.dumps(LINE) + "\n")
    return str(path)


def test_import(log: Log, file: str) -> None:
    result = run("logs", "import", file)
    assert (result.exit_code, result.output) == (0, "1 turns were added.\n")
    assert log.rows("select model from turns") == ["gpt-oss:20b"]
    repeated = run("logs", "import", file)
    assert (repeated.exit_code, repeated.output) == (
        0,
        "0 turns were added.\n1 turns are in the log already.\n",
    )


def test_another_model(log: Log, file: str) -> None:
    run("logs", "import", file, "-m", "gpt-oss:120b")
    assert log.rows("select model from turns") == ["gpt-oss:120b"]


def test_standard_input_and_a_new_log(log: Log, tmp_path: Path) -> None:
    written = log.write(user("Hi"), answer=assistant("Hello"))
    text = run("logs", "export").stdout
    path = tmp_path / "new.db"
    result = CliRunner().invoke(gpt_oss, ["logs", "import", "-", "-d", str(path)], input=text)
    assert (result.exit_code, result.output) == (0, "1 turns were added.\n")
    assert path.stat().st_mode & 0o777 == 0o600
    with closing((new := TurnLog(path)).db):
        assert new.thread(written)["name"] == "Hi"


def test_trial_run(log: Log, file: str, tmp_path: Path) -> None:
    "It compares with the log, and changes nothing, although it reads all lines."
    Path(file).write_text(json.dumps(LINE) + "\n{}\n" + json.dumps(LINE) + "\n")
    result = run("logs", "import", "--dry-run", file)
    assert (result.exit_code, result.stdout) == (
        1,
        "1 turns would be added.\n1 turns are in the log already.\n",
    )
    assert log.counts("turns") == [0]
    run("logs", "import", file)
    assert run("logs", "import", "--dry-run", file).stdout.startswith("0 turns would be added.\n2 turns are")
    missing = tmp_path / "none.db"
    assert run("logs", "import", "--dry-run", file, "-d", str(missing)).stdout.startswith("1 turns would")
    assert not missing.exists()


def test_bad_lines(log: Log, file: str) -> None:
    "The first ones are named, and all are counted."
    Path(file).write_text("{}\n" * 12 + json.dumps(LINE))
    result = run("logs", "import", file)
    assert (result.exit_code, result.stdout) == (1, "1 turns were added.\n")
    *named, last = result.stderr.splitlines()
    assert len(named) == 10
    assert named[0] == (
        "Line 1 was left out: it is not a line of `logs export` in the format turns, responses or chat"
    )
    assert last == "12 lines were left out in all."


def test_a_log_that_is_locked(log: Log, file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs_import, "BUSY_TIMEOUT", 10)
    with write_transaction(log.db.conn):
        result = run("logs", "import", file)
    assert result.exit_code == 1
    assert "cannot be written: database is locked. Type the command again" in result.stderr
    assert run("logs", "import", file).exit_code == 0


def test_no_file() -> None:
    result = run("logs", "import", "none.jsonl")
    assert result.exit_code == 2
    assert "No such file" in result.stderr
