from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from support.commands import run
from support.logged_turns import assistant, user
from support.pruned_logs import Log, opened

from llm_gpt_oss.log.redaction import Redaction
from llm_gpt_oss.log.secret_patterns import patterns_file
from proxy.settings import Settings

KEY = "AKIA" + "ABCD" * 4


@pytest.fixture
def log() -> Iterator[Log]:
    "The log that the commands use, with a key in it."
    with opened(Settings().database) as log:
        log.write(user(f"Use {KEY} for alice"), answer=assistant("Yes."))
        yield log


def prompts(log: Log) -> list[str]:
    return log.rows("select prompt from gpt_oss_turns")


def test_nothing_is_redacted_without_yes(log: Log) -> None:
    dry_run = run("logs", "redact")
    *counts, summary = dry_run.stdout.splitlines()
    assert summary == "3 rows would be redacted."
    assert {name: int(count) for name, count in map(str.split, counts)} == {
        "parts": 1,
        "messages": 0,
        "fragments": 0,
        "turns": 0,
        "tools": 0,
        "schemas": 0,
        "threads": 1,
        "turn_search": 1,
        "gpt_oss_requests": 0,
        "gpt_oss_metadata": 0,
        "gpt_oss_conversations": 0,
        "gpt_oss_field_values": 0,
    }
    assert dry_run.stderr.endswith("Nothing was redacted. Add --yes to redact.\n")
    assert prompts(log) == [f"Use {KEY} for alice"]
    result = run("logs", "redact", "--yes")
    assert result.stdout == dry_run.stdout.replace("would be", "were")
    assert prompts(log) == ["Use [redacted] for alice"]
    assert run("logs", "redact", "--yes").stdout == "There is nothing to redact.\n"


def test_the_file_of_patterns_comes_before_those_of_keys(log: Log) -> None:
    patterns_file().write_text("alice\n", encoding="utf-8")
    run("logs", "redact", "--yes")
    assert prompts(log) == [f"Use {KEY} for [redacted]"]


def test_patterns_of_the_option_come_before_the_file(log: Log) -> None:
    patterns_file().write_text("alice\n", encoding="utf-8")
    run("logs", "redact", "--pattern", "^Use", "--pattern", "for", "--yes")
    assert prompts(log) == [f"[redacted] {KEY} [redacted] alice"]


def test_json(log: Log) -> None:
    counts = json.loads(run("logs", "redact", "--json", "--yes").stdout)
    assert (counts["redacted"], counts["parts"], counts["turns"]) == (True, 1, 0)


def test_threads_and_times(log: Log) -> None:
    other = log.write(user("alice"), answer=assistant("Yes."))
    run("logs", "redact", "--pattern", "alice", "--thread", log.thread_of(other), "--yes")
    assert prompts(log) == [f"Use {KEY} for alice", "[redacted]"]
    log.change("update turns set datetime_utc = '2020-01-01T00:00:00+00:00' where id = ?", [other.id])
    assert run("logs", "redact", "--older-than", "2021-01-01").stdout == "There is nothing to redact.\n"


def test_a_pattern_that_cannot_be_used() -> None:
    result = run("logs", "redact", "--pattern", "(a")
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: --pattern, line 1: the pattern (a cannot be used: missing ): (a.")


def test_a_copy_in_the_wal_file_is_reported(log: Log) -> None:
    log.db.enable_wal()
    log.db.conn.execute("begin")
    assert len(prompts(log)) == 1
    assert run("logs", "redact", "--yes").stderr.endswith(
        "A program that reads the log keeps a copy of the old texts in the -wal file until it ends.\n"
    )


def test_the_printed_patterns_can_be_the_file() -> None:
    patterns_file().write_text(run("logs", "patterns").stdout, encoding="utf-8")
    assert Redaction.load().text(KEY) == "[redacted]"
