from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path
from subprocess import PIPE
from typing import Any

import pytest
import sqlite_utils
from support.fork_server import SERVER, Process
from support.logged_turns import assistant, call, reasoning, turn, user

from llm_gpt_oss.log.database import write_transaction
from llm_gpt_oss.log.waiting_turns import keep
from proxy.generation import ThreadPosition
from proxy.http.errors import ApiError
from proxy.log import database, problems, spool, writer
from proxy.log.llm_store import ChainStore
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
async def opened(path: Path, **options: Any) -> AsyncIterator[LogWriter]:
    log_writer = LogWriter(path, **options)
    await log_writer.open()
    try:
        yield log_writer
    finally:
        await log_writer.close()


async def record(log_writer: LogWriter, *turns: Turn) -> None:
    for written in turns:
        await log_writer.begin(written)
        await asyncio.wrap_future(log_writer.record(written))


def ids(path: Path) -> list[str]:
    with sqlite_utils.Database(path) as db:
        assert db.execute("pragma integrity_check").fetchone() == ("ok",)
        rows = db.query("select id from turns join gpt_oss_requests on turn_id = id order by id")
        return [row["id"] for row in rows]


def turn_ids(path: Path) -> list[str]:
    with sqlite_utils.Database(path) as db:
        return [row["id"] for row in db.query("select id from turns order by id")]


def left(path: Path) -> list[str]:
    return sorted(path.suffix for path in Spool(path).folder.glob("*") if path.suffix != ".lock")


@asynccontextmanager
async def lock(path: Path) -> AsyncIterator[None]:
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("begin exclusive")
    try:
        yield
    finally:
        other.close()


async def test_a_turn_is_logged_and_continued(path: Path) -> None:
    async with opened(path) as log_writer:
        await record(log_writer, turn(HI, answer=assistant(reasoning("Hm"), "Hello")))
        assert log_writer.status == "ok"
        more = turn(HI, assistant("Hello"), user("More"))
        assert await log_writer.begin(more) == [HI, assistant(reasoning("Hm"), "Hello"), user("More")]
        log_writer.forget(more)
    assert len(ids(path)) == 1
    assert left(path) == []


async def test_a_recorded_turn_is_in_the_database(path: Path) -> None:
    async with opened(path) as log_writer:
        await record(log_writer, a := turn(HI))
        assert ids(path) == [a.id]


async def test_the_database_is_locked(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    turns = [turn(user(str(n)), answer=assistant(call(str(n)))) for n in range(3)]
    async with opened(path) as log_writer:
        async with lock(path):
            assert await log_writer.begin(turns[0]) == [user("0")]
            await record(log_writer, *turns[:2])
            assert log_writer.status == "behind 2, spooling: database is locked"
            assert left(path) == [".json", ".json"]
        await record(log_writer, turns[2])
        assert log_writer.status == "ok"
        assert ids(path) == [written.id for written in turns]
    assert left(path) == []
    assert [record.message.split(" ")[0:3] for record in caplog.records] == [
        ["Turns", "are", "not"],
        ["Turns", "are", "logged"],
    ]


async def test_the_database_is_locked_until_the_server_stops(path: Path) -> None:
    log_writer = LogWriter(path)
    await log_writer.open()
    async with lock(path):
        await record(log_writer, first := turn(HI))
        await log_writer.close()
    assert ids(path) == []
    async with opened(path) as another:
        assert another.status == "ok"
    assert ids(path) == [first.id]


async def test_it_waits_for_a_lock_before_it_spools(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (writer, database):
        monkeypatch.setattr(module, "BUSY_TIMEOUT", 5000)
    async with opened(path) as log_writer:
        other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        other.execute("begin immediate")
        releasing = threading.Timer(0.05, other.close)
        releasing.start()
        await record(log_writer, turn(HI))
        assert log_writer.status == "ok"
        releasing.join()
    assert len(ids(path)) == 1


@pytest.fixture
def unwritable(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], AbstractContextManager[None]]:
    "A database that is opened from now on cannot be written, because of a setting of SQLite."
    open_log = database.open_log

    @contextmanager
    def unwritable(pragma: str) -> Iterator[None]:
        def open_unwritable(*arguments: Any) -> ChainStore:
            log = open_log(*arguments)
            log.db.conn.execute(f"pragma {pragma}")
            return log

        with monkeypatch.context() as patched:
            patched.setattr(database, "open_log", open_unwritable)
            yield

    return unwritable


@pytest.mark.parametrize(
    ("pragma", "reason"),
    [
        pytest.param("max_page_count = 1", "database or disk is full", id="full"),
        pytest.param("query_only = 1", "attempt to write a readonly database", id="read-only"),
    ],
)
async def test_the_database_cannot_be_written(
    path: Path, unwritable: Callable[[str], AbstractContextManager[None]], pragma: str, reason: str
) -> None:
    turns = [turn(user(str(n) * 9999)) for n in range(2)]
    database.open_log(path).db.close()
    with unwritable(pragma):
        async with opened(path) as log_writer:
            await record(log_writer, turns[0])
            assert log_writer.status == f"behind 1, spooling: {reason}"
    async with opened(path) as log_writer:
        assert log_writer.status == "ok"
        await record(log_writer, turns[1])
    assert ids(path) == [written.id for written in turns]


async def test_a_database_that_was_read_only_at_the_start_is_written_as_soon_as_it_can_be(
    path: Path, unwritable: Callable[[str], AbstractContextManager[None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    "SQLite keeps a connection read-only for ever, so it has to be opened again."
    monkeypatch.setattr(writer, "RETRY_SECONDS", 0.01)
    database.open_log(path).db.close()
    with unwritable("query_only = 1"), monkeypatch.context() as patched:
        patched.setattr(os, "access", lambda path, mode: False)
        log_writer = LogWriter(path)
        await log_writer.open()
        assert log_writer.status == "ok, spooling: the database or its folder is read-only"
        await record(log_writer, first := turn(HI))
        assert log_writer.status.startswith("behind 1, spooling: ")
    await until(lambda: log_writer.status == "ok")
    assert ids(path) == [first.id]
    await log_writer.close()


async def until(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not happened():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


def folder(path: Path) -> None:
    path.mkdir()


def garbage(path: Path) -> None:
    path.write_bytes(b"x" * 9999)


def gone(path: Path) -> None:
    path.rmdir() if path.is_dir() else path.unlink()


@pytest.mark.parametrize("obstacle", [folder, garbage])
async def test_the_database_cannot_be_opened(path: Path, obstacle: Callable[[Path], None]) -> None:
    obstacle(path)
    async with opened(path) as log_writer:
        assert log_writer.status.startswith("ok, spooling: ")
        await record(log_writer, first := turn(HI))
        assert log_writer.status.startswith("behind 1, spooling: ")
        gone(path)
        await record(log_writer, second := turn(HI))
        assert log_writer.status == "ok"
    assert ids(path) == [first.id, second.id]


async def test_the_database_is_deleted_or_replaced(path: Path) -> None:
    async with opened(path) as log_writer:
        await record(log_writer, turn(HI))
        gone(path)
        await record(log_writer, second := turn(HI))
        os.replace(path, path.with_name("moved.db"))
        sqlite_utils.Database(path).close()
        await record(log_writer, third := turn(HI))
    assert ids(path) == [third.id]
    assert ids(path.with_name("moved.db")) == [second.id]


async def test_neither_the_database_nor_the_spool_can_be_written(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(writer, "RETRY_SECONDS", 0.01)
    turns = [turn(user(str(n))) for n in range(3)]
    Spool(path).folder.write_text("in the way")
    async with opened(path) as log_writer:
        async with lock(path):
            await record(log_writer, *turns)
            assert log_writer.status == "behind 3, 3 only in memory, spooling: database is locked"
            assert log_writer.spool.in_memory() == [written.id for written in turns]
            # As soon as the folder can be written, they are there.
            Spool(path).folder.unlink()
            await until(lambda: "Turns are not logged but kept in" in caplog.text)
            assert log_writer.status == "behind 3, spooling: database is locked"
            assert left(path) == [".json"] * 3
        await until(lambda: "Turns are logged again" in caplog.text)
        assert ids(path) == [written.id for written in turns]
    assert [record.message.partition(" (")[0] for record in caplog.records] == [
        "Turns are logged, but " + str(Spool(path).folder) + " cannot be written",
        "Turns can neither be logged",
        f"Turns are not logged but kept in {Spool(path).folder}: database is locked",
        "Turns are logged again",
    ]


async def test_turns_in_memory_are_logged_as_soon_as_the_database_can_be_written(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "RETRY_SECONDS", 0.01)
    Spool(path).folder.write_text("in the way")
    async with opened(path) as log_writer:
        async with lock(path):
            await record(log_writer, first := turn(HI))
        await until(lambda: log_writer.status == "ok, spooling: Not a directory")
        assert ids(path) == [first.id]
        assert log_writer.spool.in_memory() == []


async def test_a_stop_waits_until_turns_in_memory_can_be_written(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(writer, "RETRY_SECONDS", 0.01)
    Spool(path).folder.write_text("in the way")
    log_writer = LogWriter(path)
    await log_writer.open()
    async with lock(path):
        await record(log_writer, first := turn(HI))
        closing = asyncio.ensure_future(log_writer.close())
        await until(lambda: "Press Ctrl-C once more" in caplog.text)
        assert not closing.done()
    await closing
    assert ids(path) == [first.id]
    assert log_writer.lost == []
    assert "lost, because" not in caplog.text


async def test_a_signal_ends_the_wait(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(problems, "SHOWN_IDS", 1)
    Spool(path).folder.write_text("in the way")
    handler = signal.getsignal(signal.SIGTERM)
    log_writer = LogWriter(path)
    await log_writer.open()
    async with lock(path):
        await record(log_writer, *(turns := [turn(user(str(n))) for n in range(2)]))
        closing = asyncio.ensure_future(log_writer.close())
        await until(lambda: "Press Ctrl-C once more" in caplog.text)
        signal.raise_signal(signal.SIGTERM)
        await closing
    assert log_writer.lost == [written.id for written in turns]
    expected = f"2 turns are lost, because nothing could be written: {turns[0].id}, …"
    assert caplog.records[-1].message == expected
    assert signal.getsignal(signal.SIGTERM) is handler


def test_nobody_can_end_the_wait_of_another_thread(path: Path) -> None:
    Spool(path).folder.write_text("in the way")

    async def lose_a_turn() -> Sequence[str]:
        log_writer = LogWriter(path)
        await log_writer.open()
        async with lock(path):
            await record(log_writer, turn(HI))
            await log_writer.close()
        return log_writer.lost

    with ThreadPoolExecutor() as another:
        assert len(another.submit(asyncio.run, lose_a_turn()).result()) == 1


async def test_a_full_memory(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool, "MAX_IN_MEMORY", 1)
    Spool(path).folder.write_text("in the way")
    async with opened(path) as log_writer:
        log_writer.check_room()
        async with lock(path):
            await record(log_writer, turn(HI))
            with pytest.raises(ApiError, match="the memory for turns that wait is full") as raised:
                log_writer.check_room()
            full = "The memory for turns is full: requests that would be logged are refused."
            assert full in log_writer.problems()
            assert (raised.value.status, raised.value.code) == (503, "log_unavailable")
        await record(log_writer, turn(HI))
        log_writer.check_room()
    assert len(ids(path)) == 2


async def test_a_turn_that_the_database_rejects(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rejected_turn = turn(HI, metadata={"a": b"no JSON"})
    async with opened(path) as log_writer:
        log_writer.spool.keep = log_writer.spool.begin = lambda turn: None  # type: ignore[method-assign]
        log_writer.spool.reject = lambda turn: rejected.append(turn.id)  # type: ignore[method-assign]
        rejected: list[str] = []
        await record(log_writer, rejected_turn, good := turn(HI))
        assert rejected == [rejected_turn.id]
        assert log_writer.status == "ok"
    assert ids(path) == [good.id]
    assert "A turn could not be logged" in caplog.text


async def record_together(log_writer: LogWriter, *turns: Turn) -> None:
    gate = threading.Event()
    for written in turns:
        await log_writer.begin(written)
    log_writer._thread.submit(gate.wait)
    recorded = [asyncio.wrap_future(log_writer.record(written)) for written in turns]
    gate.set()
    await asyncio.gather(*recorded)


async def test_turns_that_end_together_share_a_transaction(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns = [turn(user(name)) for name in "abc"]
    transactions: list[sqlite3.Connection] = []

    def counted(connection: sqlite3.Connection) -> AbstractContextManager[None]:
        transactions.append(connection)
        return write_transaction(connection)

    async with opened(path) as log_writer:
        monkeypatch.setattr(writer, "write_transaction", counted)
        await record_together(log_writer, *turns)
        assert len(transactions) == 1
    assert ids(path) == [written.id for written in turns]
    assert left(path) == []


async def test_a_turn_that_the_database_rejects_among_others(path: Path) -> None:
    rejected_turn, *good = turn(HI, metadata={"a": b"no JSON"}), turn(user("a")), turn(user("b"))
    async with opened(path) as log_writer:
        log_writer.spool.keep = log_writer.spool.begin = lambda turn: None  # type: ignore[method-assign]
        log_writer.spool.reject = lambda turn: rejected.append(turn.id)  # type: ignore[method-assign]
        rejected: list[str] = []
        await record_together(log_writer, good[0], rejected_turn, good[1])
    assert rejected == [rejected_turn.id]
    assert ids(path) == [written.id for written in good]


async def test_turns_that_end_together_while_the_database_is_locked(path: Path) -> None:
    turns = [turn(user(name)) for name in "abc"]
    async with opened(path) as log_writer, lock(path):
        await record_together(log_writer, *turns)
        assert log_writer.status.startswith("behind 3, spooling: ")
    assert ids(path) == [written.id for written in turns]


async def test_a_turn_that_cannot_be_kept_raises(path: Path) -> None:
    async with opened(path) as log_writer:
        log_writer._record = lambda turns: 1 // 0  # type: ignore[assignment, method-assign]
        with pytest.raises(ZeroDivisionError):
            await record_together(log_writer, turn(HI))


async def test_a_turn_is_recorded_even_if_nobody_waits(path: Path) -> None:
    async with opened(path) as log_writer:
        await log_writer.begin(begun := turn(HI))
        assert not log_writer.record(begun).cancel()
    assert ids(path) == [begun.id]


async def test_turns_of_llms_commands_are_written_too(path: Path) -> None:
    earlier, later = turn(user("Earlier")), turn(user("Later"))
    keep(path, earlier.response)
    async with opened(path) as log_writer:
        assert (log_writer.status, turn_ids(path)) == ("ok", [earlier.id])
        async with lock(path):
            keep(path, later.response)
            await record(log_writer, turn(HI))
            assert log_writer.status.startswith("behind 2, spooling: ")
    assert later.id in turn_ids(path)
    assert left(path) == []


@pytest.mark.parametrize(
    ("good_value", "bad_value"),
    [('"stored":false', '"stored":[]'), ('"duration_ms":250', '"duration_ms":1e999')],
    ids=["value", "number"],
)
async def test_a_turn_in_the_spool_that_the_database_rejects(
    path: Path, good_value: str, bad_value: str
) -> None:
    Spool(path).keep(rejected_turn := turn(HI))
    kept = Spool(path).folder / f"{rejected_turn.id}.json"
    text = kept.read_text().replace(good_value, bad_value)
    assert bad_value in text
    kept.write_text(text)
    Spool(path).keep(good := turn(HI))
    async with opened(path):
        pass
    assert ids(path) == [good.id]
    assert left(path) == [".rejected"]
    assert kept.with_suffix(".rejected").read_text() == text


async def test_recovery_after_a_kill(path: Path) -> None:
    left_behind = Spool(path)
    async with opened(path) as log_writer:
        await record(log_writer, done := turn(HI))
    left_behind.begin(under_way := turn(HI, status=500, error="gone"))
    left_behind.begin(turn_again := done)  # killed between the commit and the end of its file
    (begun,) = left_behind.folder.glob(f"{turn_again.id}.*.begun")
    begun.write_text(begun.read_text().replace('"status":200', '"status":500'))
    left_behind.close()
    async with opened(path):
        pass
    assert ids(path) == [done.id, under_way.id]
    assert left(path) == []
    with sqlite_utils.Database(path) as db:
        rows = db.execute("select status, error from gpt_oss_requests order by turn_id").fetchall()
    assert rows == [(200, None), (500, "gone")]


@pytest.mark.parametrize("append", [True, False], ids=["conversation", "response"])
async def test_a_waiting_turn_that_was_written_is_not_written_again(path: Path, append: bool) -> None:
    async with opened(path) as log_writer:
        await record(log_writer, first := turn(HI, answer=assistant("Hello")))
        with sqlite_utils.Database(path) as db:
            logged = db["turns"].get(first.id)
        position = ThreadPosition(logged["thread_id"], logged["tip_message_hash"], append=append)
        prompt = [HI, assistant("Hello"), user("More")]
        waiting = turn(*prompt, answer=assistant("Yes"), known=2, continues=position)
        async with lock(path):
            await record(log_writer, waiting)
        (file,) = log_writer.spool.folder.glob("*.json")
        data = file.read_bytes()
    with sqlite_utils.Database(path) as db:
        before = [[*db[table].rows] for table in ("threads", "turns", "messages")]
    file.write_bytes(data)  # its process was killed between the commit and the end of the file
    async with opened(path):
        pass
    assert left(path) == []
    with sqlite_utils.Database(path) as db:
        assert [[*db[table].rows] for table in ("threads", "turns", "messages")] == before


async def test_a_later_attempt_replaces_the_turn(path: Path) -> None:
    async with opened(path) as log_writer:
        await record(log_writer, failed := turn(HI, status=503, error="busy"))
        second = replace(failed, request=replace(failed.request, status=200, error=None))
        async with lock(path):
            await record(log_writer, second)
    with sqlite_utils.Database(path) as db:
        assert db["gpt_oss_requests"].get(failed.id)["status"] == 200


async def test_recovery_of_a_turn_that_continued_a_conversation(path: Path) -> None:
    body = {"messages": [{"role": "user"}, {"role": "assistant"}, {"role": "user"}]}
    async with opened(path, grace=0) as log_writer:
        await record(log_writer, first := turn(HI, answer=assistant(reasoning("Hm"), "Hello")))
        under_way = turn(HI, assistant("Hello"), user("More"), body=json.dumps(body), parsed=body, status=500)
        await log_writer.begin(under_way)
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
from support.logged_turns import assistant, turn, user
from proxy.log.writer import LogWriter

async def main():
    writer = LogWriter(Path(sys.argv[1]))
    await writer.open()
    for number in range(10):
        written = turn(user(sys.argv[2] + str(number)), answer=assistant("yes"))
        await writer.begin(written)
        await asyncio.wrap_future(writer.record(written))
        print(written.id, flush=True)
    await asyncio.sleep(float(sys.argv[3]))
    await writer.close()

asyncio.run(main())
"""
SHELL = """
import sys, sqlite_utils, time
from support.logged_turns import assistant, turn, user
for number in range(10):
    written = turn(user("shell" + str(number)), answer=assistant("yes"))
    for attempt in range(100):
        try:
            written.response.log_to_db(sqlite_utils.Database(sys.argv[1]))
            break
        except Exception:
            time.sleep(0.01)
"""


def process(code: str, *arguments: object) -> Process:
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return SERVER.start("-c", code, *map(str, arguments), env=environ, stdout=PIPE, stderr=PIPE)


def test_several_processes_and_the_shell_lose_nothing(path: Path) -> None:
    database.open_log(path).db.close()
    writers = [process(WRITER, path, name, 0) for name in "abcd"]
    shell = process(SHELL, path)
    messages = [written.communicate(timeout=60) for written in writers]
    assert [errors.decode() for _, errors in messages if b"Traceback" in errors] == []
    assert b"Traceback" not in shell.communicate(timeout=60)[1]
    assert len(ids(path)) == 40
    with sqlite_utils.Database(path) as db:
        assert db["turns"].count == 50
    assert left(path) == []


def test_recorded_turns_survive_a_kill(path: Path) -> None:
    writer = process(WRITER, path, "a", 60)
    assert writer.stdout
    acknowledged = [writer.stdout.readline().decode().strip() for _ in range(3)]
    writer.send_signal(signal.SIGKILL)
    writer.communicate(timeout=60)
    assert set(acknowledged) <= set(ids(path))


async def test_close_waits_for_turns_that_have_begun(path: Path) -> None:
    log_writer = LogWriter(path)
    await log_writer.open()
    await log_writer.begin(begun := turn(HI))
    closing = asyncio.ensure_future(log_writer.close())
    await asyncio.sleep(0.02)
    assert not closing.done()
    log_writer.record(begun)
    await closing
    assert ids(path) == [begun.id]


async def test_close_does_not_wait_for_ever(path: Path) -> None:
    async with opened(path, grace=0.01) as log_writer:
        await log_writer.begin(turn(HI, status=500))
    assert left(path) == [".begun"]
    async with opened(path):
        pass
    assert len(ids(path)) == 1


async def test_close_without_a_database(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    async with opened(tmp_path / "file" / "logs.db") as log_writer:
        assert "spooling" in log_writer.status
