from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlite_utils
from support.logged_turns import call, said, thought, turn, user

from proxy.log import database, spool, writer
from proxy.log.spool import Spool
from proxy.log.turn import Turn
from proxy.log.writer import LogWriter

HI = user("Hi")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "logs.db"


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (writer, database):
        monkeypatch.setattr(module, "BUSY_TIMEOUT", 50)


@asynccontextmanager
async def opened(path: Path, **given: Any) -> AsyncIterator[LogWriter]:
    one = LogWriter(path, **given)
    await one.open()
    try:
        yield one
    finally:
        await one.close()


async def record(one: LogWriter, *turns: Turn) -> None:
    for each in turns:
        await one.begin(each)
        await asyncio.wrap_future(one.record(each))


def ids(path: Path) -> list[str]:
    with sqlite_utils.Database(path) as db:
        assert db.execute("pragma integrity_check").fetchone() == ("ok",)
        rows = db.query("select id from turns join gpt_oss_requests on turn_id = id order by id")
        return [row["id"] for row in rows]


def left(path: Path) -> list[str]:
    return sorted(each.suffix for each in Spool(path).folder.glob("*"))


@asynccontextmanager
async def lock(path: Path) -> AsyncIterator[None]:
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("begin exclusive")
    try:
        yield
    finally:
        other.close()


async def test_a_turn_is_logged_and_gone_on_with(path: Path) -> None:
    async with opened(path) as one:
        await record(one, turn(HI, answer=said(thought("Hm"), "Hello")))
        assert one.status == "ok"
        more = turn(HI, said("Hello"), user("More"))
        assert await one.begin(more) == [HI, said(thought("Hm"), "Hello"), user("More")]
        one.forget(more)
    assert len(ids(path)) == 1
    assert left(path) == []


async def test_it_is_in_the_log_when_that_is_said(path: Path) -> None:
    async with opened(path) as one:
        await record(one, a := turn(HI))
        assert ids(path) == [a.id]


async def test_locked(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    turns = [turn(user(str(n)), answer=said(call(str(n)))) for n in range(3)]
    async with opened(path) as one:
        async with lock(path):
            assert await one.begin(turns[0]) == [user("0")]
            await record(one, *turns[:2])
            assert one.status == "behind 2, spooling: database is locked"
            assert left(path) == [".json", ".json"]
        await record(one, turns[2])
        assert one.status == "ok"
        assert ids(path) == [each.id for each in turns]
    assert left(path) == []
    assert [each.message.split(" ")[0:3] for each in caplog.records] == [
        ["Turns", "are", "not"],
        ["Turns", "are", "logged"],
    ]


async def test_locked_until_the_server_stops(path: Path) -> None:
    one = LogWriter(path)
    await one.open()
    async with lock(path):
        await record(one, first := turn(HI))
        await one.close()
    assert ids(path) == []
    async with opened(path) as another:
        assert another.status == "ok"
    assert ids(path) == [first.id]


async def test_it_waits_for_a_lock_before_it_spools(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "BUSY_TIMEOUT", 5000)
    async with opened(path) as one:
        other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        other.execute("begin immediate")
        releasing = threading.Timer(0.05, other.close)
        releasing.start()
        await record(one, turn(HI))
        assert one.status == "ok"
        releasing.join()
    assert len(ids(path)) == 1


async def test_the_disk_is_full(path: Path) -> None:
    turns = [turn(user(str(n) * 9999)) for n in range(2)]
    async with opened(path) as one:
        connection = one._file.opened().db.conn
        await one._run(lambda: connection.execute("pragma max_page_count = 1"))
        await record(one, turns[0])
        assert one.status == "behind 1, spooling: database or disk is full"
        await one._run(lambda: connection.execute("pragma max_page_count = 1000000"))
        await record(one, turns[1])
        assert one.status == "ok"
    assert ids(path) == [each.id for each in turns]


async def test_read_only(path: Path) -> None:
    async with opened(path) as one:
        connection = one._file.opened().db.conn
        await one._run(lambda: connection.execute("pragma query_only = 1"))
        await record(one, first := turn(HI))
        assert one.status == "behind 1, spooling: attempt to write a readonly database"
        await one._run(lambda: connection.execute("pragma query_only = 0"))
    assert ids(path) == [first.id]


def folder(path: Path) -> None:
    path.mkdir()


def garbage(path: Path) -> None:
    path.write_bytes(b"x" * 9999)


def gone(path: Path) -> None:
    path.rmdir() if path.is_dir() else path.unlink()


@pytest.mark.parametrize("obstacle", [folder, garbage])
async def test_it_cannot_be_opened(path: Path, obstacle: Callable[[Path], None]) -> None:
    obstacle(path)
    async with opened(path) as one:
        assert one.status.startswith("ok, spooling: ")
        await record(one, first := turn(HI))
        assert one.status.startswith("behind 1, spooling: ")
        gone(path)
        await record(one, second := turn(HI))
        assert one.status == "ok"
    assert ids(path) == [first.id, second.id]


async def test_deleted_while_it_runs(path: Path) -> None:
    async with opened(path) as one:
        await record(one, turn(HI))
        gone(path)
        await record(one, second := turn(HI))
        os.replace(path, path.with_name("moved.db"))
        sqlite_utils.Database(path).close()
        await record(one, third := turn(HI))
    assert ids(path) == [third.id]
    assert ids(path.with_name("moved.db")) == [second.id]


async def test_no_place_at_all(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(spool, "MAX_IN_MEMORY", 2)
    turns = [turn(user(str(n))) for n in range(4)]
    Spool(path).folder.write_text("in the way")
    async with opened(path) as one:
        async with lock(path):
            await record(one, *turns[:3])
            assert one.status.startswith("behind 2, spooling: ")
        Spool(path).folder.unlink()
        await record(one, turns[3])
        assert one.status == "ok"
    assert ids(path) == [each.id for each in turns[1:]]
    assert f"The turn {turns[0].id} is lost" in caplog.text


async def test_a_turn_that_the_log_never_takes(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    bad = turn(HI, metadata={"a": b"no JSON"})
    async with opened(path) as one:
        one._spool.keep = one._spool.begin = lambda turn: None  # type: ignore[method-assign]
        one._spool.reject = lambda turn: rejected.append(turn.id)  # type: ignore[method-assign]
        rejected: list[str] = []
        await record(one, bad, good := turn(HI))
        assert rejected == [bad.id]
        assert one.status == "ok"
    assert ids(path) == [good.id]
    assert "A turn could not be logged" in caplog.text


async def record_together(one: LogWriter, *turns: Turn) -> None:
    gate = threading.Event()
    for each in turns:
        await one.begin(each)
    one._thread.submit(gate.wait)
    recorded = [asyncio.wrap_future(one.record(each)) for each in turns]
    gate.set()
    await asyncio.gather(*recorded)


async def test_turns_that_end_together_share_a_transaction(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns = [turn(user(name)) for name in "abc"]
    transactions: list[sqlite3.Connection] = []

    def counted(connection: sqlite3.Connection) -> AbstractContextManager[None]:
        transactions.append(connection)
        return database.write_transaction(connection)

    monkeypatch.setattr(writer, "write_transaction", counted)
    async with opened(path) as one:
        await record_together(one, *turns)
    assert len(transactions) == 1
    assert ids(path) == [each.id for each in turns]
    assert left(path) == []


async def test_a_turn_that_the_log_never_takes_among_others(path: Path) -> None:
    bad, *good = turn(HI, metadata={"a": b"no JSON"}), turn(user("a")), turn(user("b"))
    async with opened(path) as one:
        one._spool.keep = one._spool.begin = lambda turn: None  # type: ignore[method-assign]
        one._spool.reject = lambda turn: rejected.append(turn.id)  # type: ignore[method-assign]
        rejected: list[str] = []
        await record_together(one, good[0], bad, good[1])
    assert rejected == [bad.id]
    assert ids(path) == [each.id for each in good]


async def test_turns_that_end_together_while_the_database_is_locked(path: Path) -> None:
    turns = [turn(user(name)) for name in "abc"]
    async with opened(path) as one, lock(path):
        await record_together(one, *turns)
        assert one.status.startswith("behind 3, spooling: ")
    assert ids(path) == [each.id for each in turns]


async def test_nobody_waits_for_a_turn_that_could_not_even_be_kept(path: Path) -> None:
    async with opened(path) as one:
        one._record = lambda turns: 1 // 0  # type: ignore[assignment, method-assign]
        with pytest.raises(ZeroDivisionError):
            await record_together(one, turn(HI))


async def test_a_turn_is_recorded_even_if_nobody_waits(path: Path) -> None:
    async with opened(path) as one:
        await one.begin(begun := turn(HI))
        assert not one.record(begun).cancel()
    assert ids(path) == [begun.id]


async def test_a_turn_in_the_spool_that_the_log_never_takes(path: Path) -> None:
    Spool(path).keep(bad := turn(HI))
    kept = Spool(path).folder / f"{bad.id}.json"
    kept.write_text(kept.read_text().replace('"stored":false', '"stored":[]'))
    Spool(path).keep(good := turn(HI))
    async with opened(path):
        pass
    assert ids(path) == [good.id]
    assert left(path) == [".rejected"]


async def test_killed(path: Path) -> None:
    left_behind = Spool(path)
    async with opened(path) as one:
        await record(one, done := turn(HI))
    left_behind.begin(under_way := turn(HI, status=500, error="gone"))
    left_behind.begin(turn_again := done)  # killed between the commit and the end of its file
    begun = left_behind.folder / f"{turn_again.id}.{os.getpid()}.begun"
    begun.write_text(begun.read_text().replace('"status":200', '"status":500'))
    async with opened(path):
        pass
    assert ids(path) == [done.id, under_way.id]
    assert left(path) == []
    with sqlite_utils.Database(path) as db:
        rows = db.execute("select status, error from gpt_oss_requests order by turn_id").fetchall()
    assert rows == [(200, None), (500, "gone")]


async def test_killed_while_a_conversation_continued(path: Path) -> None:
    body = {"messages": [{"role": "user"}, {"role": "assistant"}, {"role": "user"}]}
    async with opened(path, grace=0) as one:
        await record(one, first := turn(HI, answer=said(thought("Hm"), "Hello")))
        under_way = turn(HI, said("Hello"), user("More"), body=json.dumps(body), parsed=body, status=500)
        await one.begin(under_way)
    (file,) = Spool(path).folder.glob("*.begun")
    assert json.loads(json.loads(file.read_text())["request"]["body"]) == {"messages": [{"role": "user"}]}
    async with opened(path):
        pass
    assert ids(path) == [first.id, under_way.id]
    with sqlite_utils.Database(path) as db:
        row = db["gpt_oss_requests"].get(under_way.id)
        assert (json.loads(row["request"]), row["continues"]) == ({"messages": [{"role": "user"}]}, 2)
        assert {turn["thread_id"] for turn in db["turns"].rows} == {db["turns"].get(first.id)["thread_id"]}


WRITER = """
import asyncio, sys
from pathlib import Path
from support.logged_turns import said, turn, user
from proxy.log.writer import LogWriter

async def main():
    writer = LogWriter(Path(sys.argv[1]))
    await writer.open()
    for number in range(10):
        one = turn(user(sys.argv[2] + str(number)), answer=said("yes"))
        await writer.begin(one)
        await asyncio.wrap_future(writer.record(one))
        print(one.id, flush=True)
    await asyncio.sleep(float(sys.argv[3]))
    await writer.close()

asyncio.run(main())
"""
SHELL = """
import sys, sqlite_utils, time
from support.logged_turns import said, turn, user
for number in range(10):
    one = turn(user("shell" + str(number)), answer=said("yes"))
    for attempt in range(100):
        try:
            one.response.log_to_db(sqlite_utils.Database(sys.argv[1]))
            break
        except Exception:
            time.sleep(0.01)
"""


def process(code: str, *arguments: object) -> subprocess.Popen[bytes]:
    tests = Path(__file__).parents[2]
    path = os.pathsep.join([str(tests), str(tests.parent), *sys.path])
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": path},
    )


def test_several_processes_and_the_shell_lose_nothing(path: Path) -> None:
    database.open_log(path).db.close()
    writers = [process(WRITER, path, name, 0) for name in "abcd"]
    shell = process(SHELL, path)
    said = [each.communicate(timeout=60) for each in writers]
    assert [errors.decode() for _, errors in said if b"Traceback" in errors] == []
    assert b"Traceback" not in shell.communicate(timeout=60)[1]
    assert len(ids(path)) == 40
    with sqlite_utils.Database(path) as db:
        assert db["turns"].count == 50
    assert left(path) == []


def test_what_was_acknowledged_survives_a_kill(path: Path) -> None:
    writer = process(WRITER, path, "a", 60)
    assert writer.stdout
    acknowledged = [writer.stdout.readline().decode().strip() for _ in range(3)]
    writer.send_signal(signal.SIGKILL)
    writer.communicate(timeout=60)
    assert set(acknowledged) <= set(ids(path))


async def test_close_waits_for_what_has_begun(path: Path) -> None:
    one = LogWriter(path)
    await one.open()
    await one.begin(begun := turn(HI))
    closing = asyncio.ensure_future(one.close())
    await asyncio.sleep(0.02)
    assert not closing.done()
    one.record(begun)
    await closing
    assert ids(path) == [begun.id]


async def test_close_does_not_wait_for_ever(path: Path) -> None:
    async with opened(path, grace=0.01) as one:
        await one.begin(turn(HI, status=500))
    assert left(path) == [".begun"]
    async with opened(path):
        pass
    assert len(ids(path)) == 1


async def test_closed_before_it_could_be_opened(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    async with opened(tmp_path / "file" / "logs.db") as one:
        assert "spooling" in one.status
