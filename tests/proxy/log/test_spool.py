from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from support.logged_turns import assistant, turn, user

from llm_gpt_oss import file_lock
from llm_gpt_oss.log import owned_files
from llm_gpt_oss.log.unlogged_files import Entry
from proxy.log import spool_folder
from proxy.log.spool import Spool


@pytest.fixture
def turns_spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "logs.db")


def files(turns_spool: Spool) -> list[str]:
    return sorted(path.suffix for path in turns_spool.folder.glob("*") if path.suffix != ".lock")


def ids(turns_spool: Spool) -> list[str]:
    return [each.id for each in turns_spool.waiting()]


def test_files_are_private_to_their_owner(turns_spool: Spool) -> None:
    old = os.umask(0)
    try:
        turns_spool.begin(turn(user("a")))
        turns_spool.keep(turn(user("b")))
    finally:
        os.umask(old)
    assert turns_spool.folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in turns_spool.folder.iterdir()} == {0o600}


def test_a_logged_turn_leaves_no_file(turns_spool: Spool) -> None:
    turns_spool.begin(written := turn(user("a")))
    assert files(turns_spool) == [".begun"]
    turns_spool.remove(written.id)
    assert files(turns_spool) == []


def test_waiting_turns_are_returned_oldest_first(turns_spool: Spool) -> None:
    first, second = turn(user("a"), answer=assistant("b")), turn(user("c"))
    for written in (first, second):
        turns_spool.begin(written)
    for written in (second, first):
        turns_spool.keep(written)
    assert ids(turns_spool) == [first.id, second.id]
    assert turns_spool.state() == (2, 0, [])
    assert files(turns_spool) == [".json", ".json"]
    turns_spool.remove(first.id)
    assert ids(turns_spool) == [second.id]


@pytest.mark.parametrize(
    "content",
    [
        pytest.param("", id="empty"),
        pytest.param("{", id="no JSON"),
        pytest.param("[]", id="no object"),
        pytest.param("{}", id="no turn"),
        pytest.param("[" * 100_000, id="deep"),
        pytest.param(None, id="another turn"),
    ],
)
def test_broken_files_are_set_aside(turns_spool: Spool, content: str | None) -> None:
    turns_spool.keep(written := turn(user("a")))
    own = (turns_spool.folder / f"{written.id}.json").read_text()
    (turns_spool.folder / "0.json").write_text(own if content is None else content)
    assert ids(turns_spool) == [written.id]
    assert files(turns_spool) == [".json", ".rejected"]
    assert turns_spool.state() == (1, 0, ["0.rejected"])
    assert turns_spool.find("0") is None or content is None


def test_entries_that_are_no_files_are_named(turns_spool: Spool) -> None:
    turns_spool.keep(written := turn(user("a"), idempotency_key="key"))
    folder = turns_spool.folder
    names = ["a.json", "a.begun", "a.1.begun", "a.1.draft", "a.lock", "a.cancel", "a.rejected", "a"]
    for name in names:
        (folder / name).mkdir()
    (folder / "b.json").symlink_to(folder / f"{written.id}.json")
    (folder / "c.json").symlink_to(folder / "c.json")
    os.mkfifo(folder / "d.json")
    (folder / "e.txt").touch()
    (folder / ".nfs0").touch()
    turns_spool.recover()
    assert turns_spool.problem is None
    assert ids(turns_spool) == [written.id]
    assert turns_spool.find("a") is None
    assert len(turns_spool.attempts("key")) == 1
    assert turns_spool.state() == (1, 0, sorted([*names, "b.json", "c.json", "d.json", "e.txt"]))


@pytest.mark.parametrize("name", [".begun", "a.begun", "a..begun", "..json"])
def test_files_with_odd_names(turns_spool: Spool, name: str) -> None:
    turns_spool.keep(written := turn(user("a")))
    (turns_spool.folder / name).write_text("x")
    turns_spool.recover()
    assert ids(turns_spool) == [written.id]


def test_a_file_that_cannot_be_read(turns_spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    turns = [turn(user(text), idempotency_key="key") for text in "ab"]
    for written in turns:
        turns_spool.keep(written)
    read = Path.read_bytes

    def read_bytes(path: Path) -> bytes:
        if path.name == f"{turns[0].id}.json":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", read_bytes)
    assert ids(turns_spool) == [turns[1].id]
    assert turns_spool.state() == (2, 0, [f"{turns[0].id}.json (Permission denied)"])
    assert turns_spool.find(turns[0].id) is None
    assert [found.id for found, _ in turns_spool.attempts("key")] == [turns[1].id]


def test_another_process_was_faster(turns_spool: Spool) -> None:
    written, other = turn(user("a")), turn(user("b"))
    turns_spool.keep(written)
    turns_spool.keep(other)
    waiting = turns_spool.waiting()
    next(waiting)
    turns_spool.remove(other.id)
    assert [*waiting] == []


def test_a_rejected_turn_does_not_wait(turns_spool: Spool) -> None:
    turns_spool.reject(turn(user("a")))
    assert files(turns_spool) == [".rejected"]
    assert turns_spool.state().waiting == 0


def test_an_empty_spool(turns_spool: Spool) -> None:
    turns_spool.recover()
    assert ids(turns_spool) == []
    assert turns_spool.state().waiting == 0


BEGIN = """
import sys
from pathlib import Path
from support.logged_turns import turn, user
from proxy.log.spool import Spool
written = turn(user("a"), idempotency_key="key")
spool = Spool(Path(sys.argv[1]))
spool.begin(written)
print(written.id, flush=True)
sys.stdin.read()
"""


@contextmanager
def beginning(database: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    "Another process, in which the turn with this id is in progress."
    tests = Path(__file__).parents[2]
    path = os.pathsep.join([str(tests), str(tests.parent), *sys.path])
    pipe = subprocess.PIPE
    command = [sys.executable, "-c", BEGIN, str(database)]
    environ = {**os.environ, "PYTHONPATH": path}
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=environ) as process:
        assert process.stdout
        yield process, process.stdout.readline().strip()
        process.kill()


def test_a_turn_is_in_progress_until_its_process_is_gone(turns_spool: Spool, tmp_path: Path) -> None:
    with beginning(tmp_path / "logs.db") as (process, turn_id):

        def in_progress() -> list[bool]:
            found = [turns_spool.find(turn_id), *turns_spool.attempts("key")]
            assert [turn.id for turn, _ in filter(None, found)] == [turn_id] * 2
            return [running for _, running in filter(None, found)]

        turns_spool.recover()
        assert in_progress() == [True, True]
        assert turns_spool.state().waiting == 0
        assert turns_spool.attempts("another key") == []
        process.kill()
        process.wait()
        # Nobody has the name of its lock, unlike its process id, which another process may have by now.
        assert in_progress() == [False, False]
        assert (turns_spool.state().waiting, ids(turns_spool)) == (1, [])
        turns_spool.recover()
        assert ids(turns_spool) == [turn_id]
        assert files(turns_spool) == [".json"]


def test_a_turn_that_is_retried_is_in_progress(turns_spool: Spool) -> None:
    "A retry has the id of the turn that broke off, which may still wait."
    turns_spool.keep(written := turn(user("a"), status=500))
    turns_spool.begin(written)
    found = turns_spool.find(written.id)
    assert found
    assert found[1]
    assert ids(turns_spool) == []


def test_a_process_that_was_killed_while_a_turn_ended(turns_spool: Spool, tmp_path: Path) -> None:
    "The whole turn was written, but the file of its beginning was not deleted yet."
    another = Spool(tmp_path / "logs.db")
    another.begin(written := turn(user("a"), status=500))
    another.close()
    turns_spool.keep(replace(written, request=replace(written.request, status=200)))
    assert files(turns_spool) == [".begun", ".json"]
    for _ in range(2):
        found = turns_spool.find(written.id)
        assert found
        assert (found[0].request.status, found[1]) == (200, False)
        turns_spool.recover()
    assert files(turns_spool) == [".json"]


def test_a_turn_that_ends_while_it_is_looked_for(turns_spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    turns_spool.begin(written := turn(user("a")))
    listed = spool_folder.entries(turns_spool.folder)

    def entries(folder: Path, *suffixes: str) -> list[Entry]:
        turns_spool.keep(written)
        return listed

    monkeypatch.setattr(spool_folder, "entries", entries)
    found = turns_spool.find(written.id)
    assert found
    assert not found[1]


def test_what_processes_left_behind_is_deleted(turns_spool: Spool, tmp_path: Path) -> None:
    another = Spool(tmp_path / "logs.db")
    another.begin(cancelled := turn(user("a")))
    turns_spool.begin(turn(user("b")))
    folder = turns_spool.folder
    (owner,) = {path.name.split(".")[1] for path in folder.glob(f"{cancelled.id}.*")}
    left = [folder / name for name in ("1.gone.draft", "gone.lock", "1.cancel", "gone.cancel")]
    used = [folder / f"1.{owner}.draft", folder / f"{owner}.lock", folder / f"{cancelled.id}.cancel"]
    for path in (*left, *used):
        path.touch()
    turns_spool.recover()
    assert [path.exists() for path in left] == [False] * 4
    assert [path.exists() for path in used] == [True] * 3
    another.close()
    turns_spool.recover()
    assert [path.exists() for path in used] == [False] * 3


def test_a_turn_is_begun_although_its_folder_was_deleted(turns_spool: Spool) -> None:
    for _ in range(2):
        turns_spool.begin(written := turn(user("a")))
        found = turns_spool.find(written.id)
        assert found
        assert found[1]
        shutil.rmtree(turns_spool.folder)


def test_a_file_system_without_locks(turns_spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_locks(descriptor: int, *, shared: bool) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(file_lock, "_lock", no_locks)
    turns_spool.keep(written := turn(user("a")))
    assert turns_spool.problem is None
    assert ids(turns_spool) == [written.id]
    assert [path.suffix for path in turns_spool.folder.iterdir()] == [".json"]


@pytest.mark.parametrize("failures", [1, 99])
def test_another_process_holds_the_own_lock(
    turns_spool: Spool, failures: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    "It looks whether the process still runs, or says so for ever."
    attempts = [None] * failures
    monkeypatch.setattr(
        owned_files, "acquire", lambda path: attempts.pop() if attempts else file_lock.acquire(path)
    )
    turns_spool.begin(written := turn(user("a")))
    found = turns_spool.find(written.id)
    assert found
    assert found[1] is (failures == 1)


def test_a_folder_holds_up_no_turn_of_a_killed_process(turns_spool: Spool, tmp_path: Path) -> None:
    another = Spool(tmp_path / "logs.db")
    turns = [turn(user(text)) for text in "ab"]
    for written in turns:
        another.begin(written)
    another.close()
    (turns_spool.folder / f"{turns[0].id}.json").mkdir()
    turns_spool.recover()
    assert turns_spool.problem == "Is a directory"
    assert ids(turns_spool) == [turns[1].id]
    assert files(turns_spool) == [".begun", ".json", ".json"]
    found = turns_spool.find(turns[0].id)
    assert found
    assert found[0].id == turns[0].id


def test_a_folder_holds_up_no_turn_in_memory(turns_spool: Spool) -> None:
    turns_spool.folder.touch()
    turns_spool.reject(small := turn(user("a")))
    turns_spool.keep(large := turn(user("b" * 1000)))
    turns_spool.folder.unlink()
    turns_spool.folder.mkdir()
    (turns_spool.folder / f"{small.id}.rejected").mkdir()
    turns_spool.flush()
    assert turns_spool.problem == "Is a directory"
    assert turns_spool.in_memory() == [small.id]
    assert (turns_spool.folder / f"{large.id}.json").is_file()


def test_a_waiting_turn_that_is_set_aside_is_kept_as_it_is(turns_spool: Spool) -> None:
    turns_spool.keep(waiting := turn(user("a")))
    file = turns_spool.folder / f"{waiting.id}.json"
    text = file.read_text()
    turns_spool.set_aside(waiting.id)
    assert ids(turns_spool) == []
    assert file.with_suffix(".rejected").read_text() == text


def test_a_waiting_turn_that_cannot_be_set_aside(turns_spool: Spool) -> None:
    turns_spool.keep(waiting := turn(user("a")))
    (turns_spool.folder / f"{waiting.id}.rejected").mkdir()
    turns_spool.set_aside(waiting.id)
    unusable = turns_spool.state().unusable
    assert [name.partition(" ")[0] for name in unusable] == [f"{waiting.id}.rejected", f"{waiting.id}.json"]


def test_a_turn_in_memory_is_set_aside(turns_spool: Spool) -> None:
    turns_spool.folder.touch()
    turns_spool.keep(waiting := turn(user("a")))
    turns_spool.set_aside(waiting.id)
    assert ids(turns_spool) == []
    assert turns_spool.in_memory() == [waiting.id]


def test_turns_are_in_memory_while_the_folder_cannot_be_written(turns_spool: Spool) -> None:
    turns_spool.folder.write_text("in the way")
    turns_spool.begin(begun := turn(user("a"), idempotency_key="key"))
    turns_spool.keep(kept := turn(user("b"), idempotency_key="key"))
    turns_spool.reject(rejected := turn(user("c")))
    assert turns_spool.problem == "File exists"
    assert turns_spool.state() == (1, 2, [])
    assert turns_spool.in_memory() == [kept.id, rejected.id]
    assert ids(turns_spool) == [kept.id]
    for written, in_progress in {begun.id: True, kept.id: False, rejected.id: False}.items():
        found = turns_spool.find(written)
        assert found
        assert (found[0].id, found[1]) == (written, in_progress)
    assert [found.id for found, _ in turns_spool.attempts("key")] == [begun.id, kept.id]
    turns_spool.folder.unlink()
    turns_spool.flush()
    assert turns_spool.problem is None
    assert turns_spool.state() == (1, 0, [f"{rejected.id}.rejected"])
    assert files(turns_spool) == [".begun", ".json", ".rejected"]
    assert ids(turns_spool) == [kept.id]


def test_a_turn_without_room_leaves_no_draft(turns_spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_room(source: str, target: str) -> None:
        assert Path(source).exists()
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", no_room)
        turns_spool.keep(written := turn(user("a")))
    assert turns_spool.problem == "No space left on device"
    assert files(turns_spool) == []
    assert ids(turns_spool) == [written.id]


def test_the_folder_is_tried_before_it_counts_as_writable(turns_spool: Spool) -> None:
    turns_spool.folder.write_text("in the way")
    turns_spool.keep(written := turn(user("a")))
    turns_spool.remove(written.id)
    turns_spool.flush()
    assert turns_spool.problem == "File exists"
    turns_spool.folder.unlink()
    turns_spool.flush()
    assert turns_spool.problem is None
    assert files(turns_spool) == []


def test_a_file_that_cannot_be_deleted(turns_spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    "Its turn is in the database. It is not logged once more."
    turns_spool.keep(written := turn(user("a")))

    def read_only(path: str) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    with monkeypatch.context() as patched:
        patched.setattr(os, "unlink", read_only)
        turns_spool.remove(written.id)
        assert turns_spool.problem == "Read-only file system"
        turns_spool.recover()
    assert ids(turns_spool) == []
    assert turns_spool.state().waiting == 0
    turns_spool.flush()
    assert turns_spool.problem is None
    assert files(turns_spool) == []
