from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.logged_turns import said, turn, user

from proxy.log import spool
from proxy.log.spool import Spool


@pytest.fixture
def spooled(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "logs.db")


def files(spooled: Spool) -> list[str]:
    return sorted(path.name.partition(".")[2] for path in spooled.folder.glob("*"))


def test_for_its_owner_only(spooled: Spool) -> None:
    old = os.umask(0)
    try:
        spooled.begin(turn(user("a")))
        spooled.keep(turn(user("b")))
    finally:
        os.umask(old)
    assert spooled.folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in spooled.folder.iterdir()} == {0o600}


def test_a_turn_that_is_logged_leaves_nothing(spooled: Spool) -> None:
    spooled.begin(one := turn(user("a")))
    assert files(spooled) == [f"{os.getpid()}.begun"]
    spooled.remove(one)
    assert files(spooled) == []


def test_a_turn_waits(spooled: Spool) -> None:
    first, second = turn(user("a"), answer=said("b")), turn(user("c"))
    for one in (first, second):
        spooled.begin(one)
    for one in (second, first):
        spooled.keep(one)
    assert [one.id for one in spooled] == [first.id, second.id]
    assert len(spooled) == 2
    assert files(spooled) == ["json", "json"]
    spooled.remove(first)
    assert [one.id for one in spooled] == [second.id]


def test_what_cannot_be_read_is_put_aside(spooled: Spool) -> None:
    spooled.keep(one := turn(user("a")))
    (spooled.folder / "0.json").write_text("{")
    (spooled.folder / "1.json").write_text("{}")
    assert [each.id for each in spooled] == [one.id]
    assert files(spooled) == ["json", "rejected", "rejected"]


def test_another_process_was_faster(spooled: Spool) -> None:
    one, other = turn(user("a")), turn(user("b"))
    spooled.keep(one)
    spooled.keep(other)
    waiting = iter(spooled)
    next(waiting)
    spooled.remove(other)
    assert [*waiting] == []


def test_rejected(spooled: Spool) -> None:
    spooled.reject(turn(user("a")))
    assert files(spooled) == ["rejected"]
    assert len(spooled) == 0


def test_an_empty_spool(spooled: Spool) -> None:
    spooled.recover()
    assert [*spooled] == []
    assert len(spooled) == 0


def test_what_a_process_that_is_gone_had_under_way_is_over(spooled: Spool) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    turns = {pid: turn(user("a")) for pid in (gone.pid, os.getpid(), os.getppid())}
    for pid, one in turns.items():
        spooled.begin(one)
        begun = spooled.folder / f"{one.id}.{os.getpid()}.begun"
        begun.rename(begun.with_name(f"{one.id}.{pid}.begun"))
    spooled.recover()
    assert {one.id for one in spooled} == {turns[gone.pid].id, turns[os.getpid()].id}


def test_what_is_under_way_is_so_as_long_as_its_process_is_there(spooled: Spool) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    for pid, under_way in {gone.pid: False, os.getpid(): True, os.getppid(): True}.items():
        spooled.begin(one := turn(user("a"), idempotency_key=f"of {pid}"))
        begun = spooled.folder / f"{one.id}.{os.getpid()}.begun"
        begun.rename(begun.with_name(f"{one.id}.{pid}.begun"))
        for found in (spooled.find(one.id), *spooled.attempts(f"of {pid}")):
            assert found
            assert (found[0].id, found[1]) == (one.id, under_way)
    assert spooled.attempts("of nobody") == []
    assert spooled.find("1") is None


def test_of_another_user(monkeypatch: pytest.MonkeyPatch) -> None:
    def kill(pid: int, signal: int) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "kill", kill)
    assert spool._is_running(1)


def test_where_it_cannot_be_told(spooled: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    spooled.begin(one := turn(user("a")))
    begun = spooled.folder / f"{one.id}.{os.getpid()}.begun"
    begun.rename(begun.with_name(f"{one.id}.1.begun"))
    monkeypatch.setattr(spool, "_is_running", lambda pid: None)
    assert (found := spooled.find(one.id))
    assert found[1]
    spooled.recover()
    assert [each.id for each in spooled] == [one.id]


def test_where_there_is_no_asking(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "name", "nt")
    assert spool._is_running(os.getpid()) is None
