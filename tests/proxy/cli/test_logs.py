from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from support.commands import run
from support.logged_turns import assistant, turn, user
from support.pruned_logs import Log, opened

from llm_gpt_oss.cli import gpt_oss
from llm_gpt_oss.cli.terminal import format_time
from proxy.log import whole_log
from proxy.log.spool import Spool
from proxy.settings import Settings

NOW = datetime.now(timezone.utc)


@pytest.fixture
def log() -> Iterator[Log]:
    "The log that the commands use."
    with opened(Settings().database) as log:
        yield log


def test_nothing_is_deleted_without_yes(log: Log) -> None:
    log.mark(log.write(user("Hi"), answer=assistant("Hello")))
    dry_run = run("logs", "prune")
    *table, last = dry_run.stdout.splitlines()
    assert table == [
        *("turns        1", "threads      1", "messages     2"),
        *("parts        2", "attachments  0", "fragments    0"),
    ]
    assert re.fullmatch(r"\d{3} B would be deleted\.", last)
    assert dry_run.stderr == "Finding the turns to delete\nNothing was deleted. Add --yes to delete.\n"
    assert log.counts("turns") == [1]
    result = run("logs", "prune", "--yes")
    assert result.stdout == dry_run.stdout.replace("would be deleted", "were deleted")
    assert (
        result.stderr == "Finding the turns to delete\nDeleting them\nDeleting them from the search index\n"
    )
    assert log.counts("turns") == [0]
    repeated = run("logs", "prune", "--yes", "--vacuum")
    assert repeated.stdout == "There is nothing to delete.\n"
    assert repeated.stderr == "Finding the turns to delete\nDeleting them\nMaking the file smaller\n"


def test_json(log: Log) -> None:
    log.mark(log.write(user("Hi")))
    empty = {"threads": 1, "messages": 1, "parts": 1, "attachments": 0, "fragments": 0}
    for arguments in ([], ["--yes"]):
        received = json.loads(run("logs", "prune", "--json", *arguments).stdout)
        assert received.pop("bytes") > 500
        assert received == {"deleted": bool(arguments), "turns": 1, **empty}


def test_turns_that_stay_are_reported(log: Log) -> None:
    first = log.write(user("Hi"), answer=assistant("Hello"))
    log.write(user("Hi"), assistant("Hello"), user("More"))
    log.mark(first)
    log.run_conversation(log.thread_of(log.write(user("Another"))), deleted=True)
    log.mark(held := log.write(user("Third")))
    log.run_conversation(log.thread_of(held))
    log.change("insert into responses (id) values (?)", [first.id])
    assert run("logs", "prune").stderr.splitlines()[1:] == [
        "1 of these turns were not deleted themselves, but their conversation was.",
        "The messages of 1 of these turns stay: later turns or other threads continue them.",
        "1 more turns stay: they are part of conversations of the API. Delete those through the API or with "
        "`--thread ID`.",
        "llm's old table `responses` has 1 rows of the same turns. They stay: llm no longer writes to it.",
        "Nothing was deleted. Add --yes to delete.",
    ]


def test_copies_in_the_wal_file_are_reported(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(whole_log, "BUSY_TIMEOUT", 50)
    log.db.enable_wal()
    log.mark(log.write(user("Hi")))
    with closing(sqlite3.connect(log.path, isolation_level=None)) as reader:
        reader.execute("begin")
        reader.execute("select * from turns").fetchall()
        assert run("logs", "prune", "--yes").stderr.splitlines()[-1] == (
            "A program that reads the log keeps a copy of the deleted data in the -wal file until it ends."
        )


def test_turns_and_threads(log: Log) -> None:
    turns = [log.write(user(text)) for text in "abcd"]
    ids = [each.id for each in turns]
    named = ["--turn", f"resp_{ids[0]}", "--turn", ids[1], "--thread", f"conv_{log.thread_of(turns[2])}"]
    assert run("logs", "prune", "--yes", *named).exit_code == 0
    assert log.rows("select id from turns") == ids[3:]
    repeated = run("logs", "prune", "--turn", ids[0])
    assert (repeated.exit_code, repeated.stderr.splitlines()[1:]) == (
        1,
        [f"Error: The log has no turn {ids[0]}. `llm logs` shows the ids."],
    )


@pytest.mark.parametrize(
    ("option", "left"),
    [
        ("12h", [0]),
        ("36h", [0, 1]),
        ("2d", [0, 1]),
        ("1w", [0, 1, 2]),
        ("1y", [0, 1, 2, 3]),
        (f"{NOW - timedelta(days=2):%Y-%m-%d}", [0, 1]),
        ((NOW - timedelta(hours=12)).isoformat(), [0]),
    ],
    ids=["12h", "36h", "2d", "1w", "1y", "date", "time"],
)
def test_older_than(log: Log, option: str, left: list[int]) -> None:
    ids = []
    for days in (0, 1, 5, 30):
        each = turn(user(str(days)))
        each.response._start_utcnow = NOW - timedelta(days=days)
        log.store.log(each.response)
        ids.append(each.id)
    run("logs", "prune", "--yes", "--older-than", option)
    assert log.rows("select id from turns order by id") == [ids[number] for number in left]


@pytest.mark.parametrize(
    "option", ["", "30", "30m", "-1d", "yesterday", "2026-13-01", "9999999999y", "9999y"]
)
def test_invalid_time(log: Log, option: str) -> None:
    log.write(user("Hi"))
    result = run("logs", "prune", "--yes", "--older-than", option)
    assert result.exit_code == 2
    assert f"{option!r} is neither a time such as 12h, 30d, 8w, 1y nor a date" in result.stderr
    assert log.counts("turns") == [1]


def test_another_database(log: Log, tmp_path: Path) -> None:
    log.mark(log.write(user("Hi")))
    with opened(tmp_path / "other.db") as other:
        other.mark(other.write(user("Hi")))
        assert run("logs", "prune", "--yes", "-d", str(other.path)).exit_code == 0
        assert (log.counts("turns"), other.counts("turns")) == ([1], [0])


def test_no_log() -> None:
    result = run("logs", "prune")
    where = Settings().database
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == f"Error: There is no log at {where}. `llm logs path` shows where llm's log is.\n"
    assert not where.exists()


def test_the_command_is_registered() -> None:
    assert "logs" in gpt_oss.list_commands(None)  # type: ignore[arg-type]
    assert "prune" in run("logs", "--help").stdout


def test_protect(tmp_path: Path) -> None:
    (database := tmp_path / "logs.db").touch()
    database.chmod(0o644)
    result = run("logs", "protect", "--database", str(database))
    assert (result.stdout, result.stderr) == (f"{database}\n", "Only you can use these files now.\n")
    assert database.stat().st_mode & 0o777 == 0o600
    repeated = run("logs", "protect", "--database", str(database))
    assert (repeated.stdout, repeated.stderr) == ("", f"Only you could use {database} already.\n")


def test_protect_the_log_of_llm() -> None:
    assert run("logs", "protect").stderr.startswith(f"Error: There is no log at {Settings().database}.")


def test_turns_that_wait() -> None:
    assert run("logs", "waiting").stderr.startswith(f"Error: There is no log at {Settings().database}.")
    Settings().database.touch()
    assert (run("logs", "waiting").stdout, run("logs", "waiting", "--json").stdout) == (
        "No turn waits.\n",
        "[]\n",
    )
    spool = Spool(Settings().database)
    spool.keep(waits := turn(user("Hi")))
    (spool.folder / "x.rejected").write_text("{}")
    listed = run("logs", "waiting")
    time = format_time(waits.response.datetime_utc())
    assert (listed.exit_code, listed.stdout.splitlines()) == (
        0,
        [
            f"{waits.id}.json  {time}  can be logged",
            f"{'x.rejected':<{len(waits.id) + 5}}  unknown time      cannot be logged: not a turn (KeyError: "
            "'response')",
        ],
    )
    assert listed.stderr == "Nothing was logged. Add --retry to log what can be logged.\n"
    logged = run("logs", "waiting", "--retry")
    assert (logged.exit_code, logged.stdout) == (1, listed.stdout.replace("can be", "was"))
    assert logged.stderr == (
        f"Try again when the reason is gone. To give a turn up, delete its file in {spool.folder}.\n"
    )
    rest = run("logs", "waiting", "--json")
    assert json.loads(rest.stdout) == [
        {"name": "x.rejected", "started": None, "problem": "not a turn (KeyError: 'response')"}
    ]
    assert rest.stderr == ""
    (spool.folder / "x.rejected").unlink()
    assert run("logs", "waiting", "--retry").exit_code == 0


def test_turns_that_wait_for_another_database(tmp_path: Path) -> None:
    Spool(tmp_path / "other.db").keep(turn(user("Hi")))
    result = run("logs", "waiting", "--retry", "-d", str(tmp_path / "other.db"))
    assert (result.exit_code, result.stdout.split()[-2:]) == (0, ["was", "logged"])
