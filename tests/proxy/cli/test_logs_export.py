from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from subprocess import PIPE, Popen

import pytest
from support.commands import run
from support.logged_turns import assistant, reasoning, turn, user
from support.pruned_logs import Log, opened

from proxy.settings import Settings


@pytest.fixture
def log() -> Iterator[Log]:
    "The log that the commands use."
    with opened(Settings().database) as log:
        yield log


def test_to_standard_output(log: Log) -> None:
    log.write(user("Hi"), answer=assistant("Hello"))
    result = run("logs", "export", "--format", "chat")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == (
        '{"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":"Hello"}]}\n'
    )


def test_to_a_file(log: Log, tmp_path: Path) -> None:
    "Only its owner can read it, also if it was there before."
    written = log.write(user("Hi"), answer=assistant("Hello"))
    file = tmp_path / "export.jsonl"
    file.write_text("what was there before")
    file.chmod(0o644)
    result = run("logs", "export", "-o", str(file))
    assert (result.exit_code, result.output) == (0, "")
    assert json.loads(file.read_text())["response"]["id"] == written.id
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        pytest.param([], "old ok failed", id="all"),
        pytest.param(["--since", "2026-02-01"], "ok failed", id="since"),
        pytest.param(["--until", "2026-02-01"], "old", id="until"),
        pytest.param(["--older-than", "2026-02-01"], "old", id="older than"),
        pytest.param(["--failed"], "failed", id="failed"),
        pytest.param(["--ok"], "old ok", id="ok"),
        pytest.param(["--app", "curl"], "ok", id="app"),
        pytest.param(["--key", "laptop", "--key", "other"], "failed", id="keys"),
        pytest.param(["-m", "gpt-oss:20b", "-q", "hello"], "ok", id="model and words"),
        pytest.param(["-m", "gpt-oss:120b"], "", id="another model"),
        pytest.param(["--thread", "none"], "", id="unknown thread"),
        pytest.param(["--benchmarks", "--format", "responses"], "old ok failed bench", id="benchmarks"),
        pytest.param(["--format", "harmony"], "old ok", id="no failures in harmony"),
        pytest.param(["--format", "harmony", "--failed"], "failed", id="failures on demand"),
    ],
)
def test_filters(log: Log, options: list[str], expected: str) -> None:
    turns = {
        "old": log.write(user("Hi"), answer=assistant("Bye")),
        "ok": log.write(user("Hi"), answer=assistant("Hello"), client="curl/8"),
        "failed": log.write(user("No"), answer=assistant("I"), status=500, error="x", actor="laptop:1f"),
        "bench": turn(user("Fast?"), answer=assistant("Yes")),
    }
    turns["bench"].response.response_json = {"benchmark": True}
    log.put(turns["bench"])
    log.change("update turns set datetime_utc = '2026-01-01T00:00:00+00:00' where id = ?", [turns["old"].id])
    names = {written.id: name for name, written in turns.items()}
    lines = [json.loads(line) for line in run("logs", "export", *options).stdout.splitlines()]
    ids = [line["response"]["id"] if "response" in line else line["turn"] for line in lines]
    assert " ".join(names[id.removeprefix("resp_")] for id in ids) == expected


def test_a_conversation_of_the_api(log: Log) -> None:
    written = log.write(user("Hi"), answer=assistant("Hello"))
    result = run("logs", "export", "--thread", f"conv_{log.thread_of(written)}")
    assert json.loads(result.stdout)["response"]["id"] == written.id


def test_reasoning_is_for_chat(log: Log) -> None:
    log.write(user("Hi"), answer=assistant(reasoning("hm"), "Hello"))
    assert '"reasoning_content":"hm"' in run("logs", "export", "--format", "chat", "--reasoning").stdout
    result = run("logs", "export", "--reasoning")
    assert result.exit_code == 2
    assert "--reasoning needs --format chat." in result.stderr


def test_turns_that_are_left_out(log: Log) -> None:
    "The first ones are named, and all are counted."
    for n in range(12):
        log.write(user(f"Question {n}"), answer=assistant("Yes"))
    log.write(user("Hi"), answer=assistant("Hello"))
    log.change("update turns set model = 'none' where id in (select id from turns order by id limit 12)")
    result = run("logs", "export", "--format", "harmony")
    *named, last = result.stderr.splitlines()
    assert (result.exit_code, len(result.stdout.splitlines()), len(named)) == (1, 1, 10)
    assert "was left out: That turn used the model none" in named[0]
    assert last == "12 turns were left out in all."


def test_no_log(tmp_path: Path) -> None:
    result = run("logs", "export", "-d", str(tmp_path / "none.db"))
    assert result.exit_code == 1
    assert result.stderr.startswith(f"Error: There is no log at {tmp_path / 'none.db'}.")
    assert not (tmp_path / "none.db").exists()


def test_not_a_log(tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("This is no database. " * 100)
    result = run("logs", "export", "-d", str(tmp_path / "text.db"))
    assert result.exit_code == 1
    assert "cannot be read: file is not a database." in result.stderr


def test_the_log_is_never_overwritten(log: Log) -> None:
    log.write(user("Hi"), answer=assistant("Hello"))
    result = run("logs", "export", "-o", str(log.path))
    assert result.exit_code == 2
    assert "is the log itself" in result.stderr
    assert log.counts("turns") == [1]


def test_a_folder_that_does_not_exist(log: Log, tmp_path: Path) -> None:
    result = run("logs", "export", "-o", str(tmp_path / "none" / "file"))
    assert result.exit_code == 1
    assert "cannot be written" in result.stderr


def test_a_reader_that_ends_first(log: Log) -> None:
    "As `head` does."
    for n in range(200):
        log.write(user(f"Question {n}" + "x" * 1000), answer=assistant("Yes"))
    command = "from llm_gpt_oss.cli import gpt_oss; gpt_oss()"
    arguments = [sys.executable, "-c", command, "logs", "export", "-d", str(log.path)]
    with Popen(arguments, stdout=PIPE, stderr=PIPE) as process:
        assert process.stdout
        assert process.stderr
        assert process.stdout.readline().startswith(b'{"turn":1')
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141
