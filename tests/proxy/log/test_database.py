from __future__ import annotations

import errno
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from subprocess import PIPE

import pytest
import sqlite_utils
from llm.logs import LogStore
from llm.migrations import MIGRATIONS
from support.fork_server import SERVER
from support.logged_turns import assistant, call, user

from llm_gpt_oss.log import migrations
from llm_gpt_oss.log.database import set_busy_timeout, write_transaction
from proxy.log import database

Connect = Callable[[Path], LogStore]
ALL = [name for name, _ in migrations.MIGRATIONS]

OPENERS = """
import sys
from pathlib import Path
sys.stdin.readline()
{}
"""
OURS = "from proxy.log.database import open_log; open_log(Path(sys.argv[1]))"
LLMS = "import sqlite_utils, llm.migrations; llm.migrations.migrate(sqlite_utils.Database(sys.argv[1]))"


@pytest.fixture(autouse=True)
def copied_migrations() -> None:
    "These tests are about the migrations, so they run them."


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "new folder" / "logs.db"


@pytest.fixture
def connected() -> Iterator[Connect]:
    "Opens logs, and closes them at the end."
    with ExitStack() as opened:

        def connect(path: Path) -> LogStore:
            log = database.open_log(path)
            opened.callback(log.db.close)
            return log

        yield connect


def names(log: LogStore, table: str) -> list[str]:
    return [name for (name,) in log.db.execute(f"select name from {table} order by name")]


def test_a_new_database_is_complete_and_private(path: Path, connected: Connect) -> None:
    old = os.umask(0)
    try:
        log = connected(path)
    finally:
        os.umask(old)
    assert path.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in path.parent.iterdir()] == ["logs.db"]
    assert len(names(log, "_llm_migrations")) == len({each.__name__ for each in MIGRATIONS})
    assert names(log, "gpt_oss_migrations") == ALL


def test_an_existing_database_is_not_changed(path: Path, connected: Connect) -> None:
    path.parent.mkdir()
    with sqlite_utils.Database(path) as theirs:
        theirs.enable_wal()
        theirs["mine"].insert({"a": 1})  # type: ignore[union-attr]
    path.chmod(0o640)
    log = connected(path)
    assert path.stat().st_mode & 0o777 == 0o640
    assert log.db.journal_mode == "wal"
    assert log.db["mine"].count == 1
    assert connected(path).db["gpt_oss_requests"].exists()


def test_each_migration_is_applied_once(
    path: Path, monkeypatch: pytest.MonkeyPatch, connected: Connect
) -> None:
    connected(path)
    later = ("m999_more", ("alter table gpt_oss_calls add column more text",))
    monkeypatch.setattr(migrations, "MIGRATIONS", (*migrations.MIGRATIONS, later))
    connected(path)
    assert names(connected(path), "gpt_oss_migrations") == [*ALL, "m999_more"]


def test_custom_calls_get_the_threads_that_include_them(
    path: Path, monkeypatch: pytest.MonkeyPatch, connected: Connect
) -> None:
    written = migrations.MIGRATIONS
    monkeypatch.setattr(migrations, "MIGRATIONS", written[:4])
    old = connected(path)
    question = user("Hi")
    patch, look = call("1", "patch", input="x"), call("1", "look", a=1)
    chains = [
        old.ensure_chain([question, assistant(patch), user("More")]),
        old.ensure_chain([question, assistant(patch), user("Other")]),
        old.ensure_chain([question, assistant(look)]),
    ]
    threads = [old.create_thread(tip=tip) for tip in chains]
    old.db.conn.execute("insert into gpt_oss_custom_calls values ('1'), ('2')")
    old.db.conn.commit()
    monkeypatch.setattr(migrations, "MIGRATIONS", written)
    rows = connected(path).db.execute("select thread_id, call_id, name from gpt_oss_custom_calls").fetchall()
    assert rows == [(thread, "1", "patch") for thread in threads[:2]]


def test_a_failed_migration_is_rolled_back(
    path: Path, monkeypatch: pytest.MonkeyPatch, connected: Connect
) -> None:
    bad = ("m003_bad", ("create table gpt_oss_bad (a)", "oh"))
    monkeypatch.setattr(migrations, "MIGRATIONS", (*migrations.MIGRATIONS, bad))
    with pytest.raises(sqlite3.OperationalError):
        connected(path)
    assert [*path.parent.iterdir()] == []


def test_another_process_created_the_database_first(
    path: Path, monkeypatch: pytest.MonkeyPatch, connected: Connect
) -> None:
    link = os.link

    def late(source: Path, target: Path) -> None:
        with sqlite_utils.Database(target) as theirs:
            theirs["mine"].insert({"a": 1})  # type: ignore[union-attr]
        link(source, target)

    monkeypatch.setattr(os, "link", late)
    assert connected(path).db["mine"].count == 1
    assert [each.name for each in path.parent.iterdir()] == ["logs.db"]


def test_a_file_system_without_links(path: Path, monkeypatch: pytest.MonkeyPatch, connected: Connect) -> None:
    def link(source: Path, target: Path) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", link)
    assert connected(path).db["turns"].exists()
    assert path.stat().st_mode & 0o777 == 0o600


def test_many_processes_open_a_new_database_at_once(tmp_path: Path, connected: Connect) -> None:
    path = tmp_path / "logs.db"
    processes = [
        SERVER.start("-c", OPENERS.format(code), str(path), env=os.environ, stdin=PIPE, stderr=PIPE)
        for code in (OURS, OURS, OURS, OURS)
    ]
    for process in processes:
        assert process.stdin
        process.stdin.write(b"\n")
        process.stdin.flush()
    assert [process.communicate(timeout=60)[1].decode() for process in processes] == [""] * 4
    assert connected(path).db.execute("pragma integrity_check").fetchone() == ("ok",)


def test_llm_can_open_the_database(path: Path, connected: Connect) -> None:
    connected(path)
    command = [sys.executable, "-c", OPENERS.format(LLMS), str(path)]
    opener = subprocess.run(command, input=b"\n", stderr=subprocess.PIPE, check=False, timeout=60)
    assert (opener.returncode, opener.stderr.decode()) == (0, "")


def test_a_transaction_is_atomic(path: Path, connected: Connect) -> None:
    connection = connected(path).db.conn
    with suppress(KeyError), write_transaction(connection):
        connection.execute("insert into gpt_oss_migrations values ('a')")
        raise KeyError
    with write_transaction(connection):
        connection.execute("insert into gpt_oss_migrations values ('b')")
    assert names(connected(path), "gpt_oss_migrations") == ["b", *ALL]


def test_a_migrated_database_opens_while_another_process_writes(path: Path, connected: Connect) -> None:
    with write_transaction(connected(path).db.conn):
        assert names(connected(path), "gpt_oss_migrations") == ALL


def test_a_write_transaction_excludes_other_writers(path: Path, connected: Connect) -> None:
    one, other = connected(path).db.conn, connected(path).db.conn
    set_busy_timeout(other, 0)
    with (
        write_transaction(one),
        pytest.raises(sqlite3.OperationalError, match="locked"),
        write_transaction(other),
    ):
        pytest.fail("two have the lock")


def test_a_failed_commit_is_rolled_back(path: Path, connected: Connect) -> None:
    writer, reader = connected(path).db.conn, connected(path).db.conn
    set_busy_timeout(writer, 0)
    reader.execute("begin")
    reader.execute("select * from gpt_oss_migrations").fetchall()
    with pytest.raises(sqlite3.OperationalError, match="locked"), write_transaction(writer):
        writer.execute("insert into gpt_oss_migrations values ('a')")
    assert not writer.in_transaction
    reader.execute("commit")
    with write_transaction(writer):
        writer.execute("insert into gpt_oss_migrations values ('b')")


def test_a_transaction_that_sqlite_ended(path: Path, connected: Connect) -> None:
    connection = connected(path).db.conn
    with suppress(KeyError), write_transaction(connection):
        connection.execute("rollback")
        raise KeyError
    assert not connection.in_transaction
