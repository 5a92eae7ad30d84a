"Turns that wait beside the log or were rejected: which, why, and whether they can be logged now."

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from support.logged_turns import assistant, turn, user
from support.turn_logs import TurnLog

from llm_gpt_oss.errors import GptOssError
from llm_gpt_oss.llm_internals import set_times
from llm_gpt_oss.log.waiting_turns import keep
from proxy.log import database as log_database
from proxy.log.spool import Spool
from proxy.log.unlogged_turns import try_turns


@pytest.fixture
def path(log: TurnLog, tmp_path: Path) -> Path:
    return tmp_path / "logs.db"


@pytest.fixture
def spool(path: Path) -> Spool:
    return Spool(path)


def tried(path: Path, *, really: bool = False) -> dict[str, str | None]:
    "The problem of each file."
    return {each.name: each.problem for each in try_turns(path, really=really)}


def names(spool: Spool) -> list[str]:
    return sorted(path.name for path in spool.folder.iterdir())


def test_none_waits(path: Path) -> None:
    assert tried(path) == tried(path, really=True) == {}
    with pytest.raises(GptOssError, match=r"There is no log at .*\. `llm logs path` shows"):
        tried(path.with_name("other.db"))


def test_a_log_that_does_not_exist_yet(tmp_path: Path) -> None:
    path = tmp_path / "new" / "logs.db"
    Spool(path).keep(waits := turn(user("a")))
    assert tried(path, really=True) == {f"{waits.id}.json": None}


def test_turns_of_servers_and_commands_are_logged(path: Path, spool: Spool, log: TurnLog) -> None:
    waits, rejected, shell, shell_rejected = (turn(user(text), answer=assistant("x")) for text in "abcd")
    spool.keep(waits)
    spool.reject(rejected)
    keep(path, shell.response)
    keep(path, shell_rejected.response).replace(spool.folder / f"{shell_rejected.id}.rejected")
    expected = {
        f"{waits.id}.json": None,
        f"{rejected.id}.rejected": None,
        f"{shell.id}.shell": None,
        f"{shell_rejected.id}.rejected": None,
    }
    before = names(spool)
    assert tried(path) == expected
    assert (names(spool), log.db["turns"].count, log.db["messages"].count) == (before, 0, 0)
    assert tried(path, really=True) == expected
    assert [row["id"] for row in log.db["turns"].rows_where(order_by="rowid")] == [
        each.id for each in (waits, rejected, shell, shell_rejected)
    ]
    assert log.db["gpt_oss_requests"].count == 2
    spool.close()
    assert names(spool) == []


def test_the_time_of_a_turn(path: Path, spool: Spool) -> None:
    spool.keep(waits := turn(user("a")))
    [found] = try_turns(path, really=False)
    assert found.started == waits.response.datetime_utc()


def test_a_turn_that_the_database_rejects_stays(path: Path, spool: Spool, log: TurnLog) -> None:
    spool.keep(never := turn(user("a")))
    log.db.conn.execute(
        f"create trigger never before insert on turns when new.id = '{never.id}' "
        "begin select raise(abort, 'never'); end"
    )
    spool.keep(good := turn(user("b")))
    for really in (False, True):
        assert tried(path, really=really) == {f"{never.id}.json": "never", f"{good.id}.json": None}
    assert [row["id"] for row in log.db["turns"].rows] == [good.id]
    log.db.conn.execute("drop trigger never")
    assert tried(path, really=True) == {f"{never.id}.json": None}


def test_entries_that_are_no_turns(path: Path, spool: Spool) -> None:
    spool.keep(good := turn(user("a")))
    folder = spool.folder
    (folder / "0.json").mkdir()
    (folder / "1.rejected").write_text("{")
    (folder / "2.shell").write_text('{"response": 1}')
    (folder / "3.txt").touch()
    (folder / "4.json").write_bytes((folder / f"{good.id}.json").read_bytes())
    problems = tried(path)
    assert problems.pop("1.rejected", "").startswith("not a turn (JSONDecodeError: ")  # type: ignore[union-attr]
    assert problems.pop("2.shell", "").startswith("not a turn (TypeError: ")  # type: ignore[union-attr]
    assert problems == {
        "0.json": "a folder or a link, and not the file of a turn",
        "3.txt": "not the file of a turn",
        "4.json": f"a copy of the turn {good.id}",
        f"{good.id}.json": None,
    }


def test_a_file_that_cannot_be_read_or_is_gone(
    path: Path, spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns = [turn(user(text)) for text in "abc"]
    for each in turns:
        spool.keep(each)
    errors = {
        f"{turns[0].id}.json": PermissionError(13, "Permission denied"),
        f"{turns[1].id}.json": FileNotFoundError(),
    }
    read = Path.read_bytes

    def read_bytes(path: Path) -> bytes:
        if error := errors.get(path.name):
            raise error
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", read_bytes)
    assert tried(path) == {f"{turns[0].id}.json": "Permission denied", f"{turns[2].id}.json": None}


def test_turns_in_progress_are_left_alone(path: Path, spool: Spool, log: TurnLog) -> None:
    spool.begin(begun := turn(user("a")))
    before = names(spool)
    assert tried(path) == tried(path, really=True) == {}
    assert names(spool) == before
    spool.close()
    (name,) = tried(path)
    assert name.endswith(".begun")
    assert tried(path, really=True) == {f"{begun.id}.json": None}
    assert [row["id"] for row in log.db["turns"].rows] == [begun.id]


def test_a_locked_log_is_waited_for_once(
    path: Path, spool: Spool, log: TurnLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = []
    open_log = log_database.open_log
    monkeypatch.setattr(
        log_database, "open_log", lambda path, _, *more: opened.append(path) or open_log(path, 10, *more)
    )
    turns = [turn(user(text)) for text in "ab"]
    for each in turns:
        spool.keep(each)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("begin exclusive")
        assert tried(path, really=True) == {f"{each.id}.json": "database is locked" for each in turns}
    assert len(opened) == 1
    assert len(names(spool)) == 3


def test_a_later_attempt_stays(path: Path, spool: Spool, log: TurnLog) -> None:
    "The turn was rejected, and its client sent the request again, which gives the same id."
    later = log.write(user("a"), answer=assistant("second"))
    first = turn(user("a"), answer=assistant("first"))
    first.response.id = later.id
    set_times(first.response, datetime.fromisoformat(later.response.datetime_utc()) - timedelta(minutes=1), 1)
    spool.reject(first)
    assert tried(path, really=True) == {f"{later.id}.rejected": None}
    assert [row["text"] for row in log.db["parts"].rows] == ["a", "second"]
    spool.close()
    assert names(spool) == []


def test_a_file_that_cannot_be_deleted(
    path: Path, spool: Spool, log: TurnLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool.reject(turn(user("a")))

    def read_only(path: Path, missing_ok: bool = False) -> None:
        raise OSError(30, os.strerror(30))

    monkeypatch.setattr(Path, "unlink", read_only)
    for _ in range(2):
        assert [*tried(path, really=True).values()] == [None]
    assert log.db["turns"].count == 1
