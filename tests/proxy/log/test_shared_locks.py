"Locks with names hold in all processes of a server."

from __future__ import annotations

from pathlib import Path

import pytest

from proxy.log.shared_locks import SharedLocks


# Two objects lock as two processes do: each opens the file by itself.
@pytest.mark.parametrize("name", ["01k3zq8w5m7xv9e2r4t6y8b0cd", "a/../b", "é" * 300])
def test_a_lock_holds_until_it_is_released(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "logs.db-unlogged"
    one, other = SharedLocks(folder, "kind"), SharedLocks(folder, "kind")
    lock = one.acquire(name)
    assert lock
    assert one.acquire(name) is None
    assert other.acquire(name) is None
    assert folder.stat().st_mode & 0o777 == 0o700
    lock.release()
    second = other.acquire(name)
    assert second
    lock.release()
    assert one.acquire(name) is None, "a lock that was released is not released once more"
    second.release()
    assert [*folder.iterdir()] == []


def test_names_and_kinds_are_independent(tmp_path: Path) -> None:
    locks = SharedLocks(tmp_path, "one")
    held = [locks.acquire("a"), locks.acquire("b"), SharedLocks(tmp_path, "other").acquire("a")]
    assert all(held)


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (folder := tmp_path / "logs.db-unlogged").write_text("")
    locks = SharedLocks(folder, "kind")
    lock = locks.acquire("a")
    assert lock
    assert locks.acquire("a") is None
    lock.release()
    assert locks.acquire("a")
