from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.logged_turns import assistant, turn, user

from proxy.log import spool
from proxy.log.spool import Spool


@pytest.fixture
def turns_spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "logs.db")


def files(turns_spool: Spool) -> list[str]:
    return sorted(path.name.partition(".")[2] for path in turns_spool.folder.glob("*"))


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
    assert files(turns_spool) == [f"{os.getpid()}.begun"]
    turns_spool.remove(written)
    assert files(turns_spool) == []


def test_waiting_turns_are_returned_oldest_first(turns_spool: Spool) -> None:
    first, second = turn(user("a"), answer=assistant("b")), turn(user("c"))
    for written in (first, second):
        turns_spool.begin(written)
    for written in (second, first):
        turns_spool.keep(written)
    assert [written.id for written in turns_spool] == [first.id, second.id]
    assert len(turns_spool) == 2
    assert files(turns_spool) == ["json", "json"]
    turns_spool.remove(first)
    assert [written.id for written in turns_spool] == [second.id]


def test_unreadable_files_are_rejected(turns_spool: Spool) -> None:
    turns_spool.keep(written := turn(user("a")))
    (turns_spool.folder / "0.json").write_text("{")
    (turns_spool.folder / "1.json").write_text("{}")
    assert [each.id for each in turns_spool] == [written.id]
    assert files(turns_spool) == ["json", "rejected", "rejected"]


def test_another_process_was_faster(turns_spool: Spool) -> None:
    written, other = turn(user("a")), turn(user("b"))
    turns_spool.keep(written)
    turns_spool.keep(other)
    waiting = iter(turns_spool)
    next(waiting)
    turns_spool.remove(other)
    assert [*waiting] == []


def test_a_rejected_turn_does_not_wait(turns_spool: Spool) -> None:
    turns_spool.reject(turn(user("a")))
    assert files(turns_spool) == ["rejected"]
    assert len(turns_spool) == 0


def test_an_empty_spool(turns_spool: Spool) -> None:
    turns_spool.recover()
    assert [*turns_spool] == []
    assert len(turns_spool) == 0


def test_turns_of_dead_processes_are_recovered(turns_spool: Spool) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    turns = {pid: turn(user("a")) for pid in (dead.pid, os.getpid(), os.getppid())}
    for pid, written in turns.items():
        turns_spool.begin(written)
        path = turns_spool.folder / f"{written.id}.{os.getpid()}.begun"
        path.rename(path.with_name(f"{written.id}.{pid}.begun"))
    turns_spool.recover()
    assert {written.id for written in turns_spool} == {turns[dead.pid].id, turns[os.getpid()].id}


def test_a_turn_is_in_progress_while_its_process_runs(turns_spool: Spool) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    for pid, in_progress in {dead.pid: False, os.getpid(): True, os.getppid(): True}.items():
        turns_spool.begin(written := turn(user("a"), idempotency_key=f"of {pid}"))
        path = turns_spool.folder / f"{written.id}.{os.getpid()}.begun"
        path.rename(path.with_name(f"{written.id}.{pid}.begun"))
        for found in (turns_spool.find(written.id), *turns_spool.attempts(f"of {pid}")):
            assert found
            assert (found[0].id, found[1]) == (written.id, in_progress)
    assert turns_spool.attempts("of nobody") == []
    assert turns_spool.find("1") is None


def test_a_process_of_another_user_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    def kill(pid: int, signal: int) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "kill", kill)
    assert spool._is_running(1)


def test_a_turn_is_in_progress_if_its_process_may_run(
    turns_spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns_spool.begin(written := turn(user("a")))
    path = turns_spool.folder / f"{written.id}.{os.getpid()}.begun"
    path.rename(path.with_name(f"{written.id}.1.begun"))
    monkeypatch.setattr(spool, "_is_running", lambda pid: None)
    assert (found := turns_spool.find(written.id))
    assert found[1]
    turns_spool.recover()
    assert [each.id for each in turns_spool] == [written.id]


def test_processes_cannot_be_checked_on_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "name", "nt")
    assert spool._is_running(os.getpid()) is None
