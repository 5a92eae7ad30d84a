from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from llm_gpt_oss import file_lock
from llm_gpt_oss.file_lock import acquire, is_held

ANOTHER = """
import sys
from pathlib import Path
from llm_gpt_oss.file_lock import acquire
assert acquire(Path(sys.argv[1]))
print("locked", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.lock"


def test_a_lock_is_held_until_it_is_released(path: Path) -> None:
    assert not is_held(path)
    lock = acquire(path)
    assert lock
    assert is_held(path)
    assert acquire(path) is None
    assert path.stat().st_mode & 0o777 == 0o600
    lock.release()
    assert not path.exists()
    assert not is_held(path)


def test_a_file_that_was_left_behind_is_not_locked(path: Path) -> None:
    path.touch()
    assert not is_held(path)
    assert path.exists()
    lock = acquire(path)
    assert lock
    lock.release()


def test_a_lock_of_a_killed_process(path: Path) -> None:
    pipe = subprocess.PIPE
    process = subprocess.Popen([sys.executable, "-c", ANOTHER, path], stdin=pipe, stdout=pipe)
    with process:
        assert process.stdout
        assert process.stdout.readline() == b"locked\n"
        assert is_held(path)
        assert acquire(path) is None
        process.kill()
        process.wait()
    assert not is_held(path)


def test_a_deleted_file(path: Path) -> None:
    lock = acquire(path)
    assert lock
    assert lock.is_in_place
    path.unlink()
    assert not lock.is_in_place
    another = acquire(path)
    assert another
    lock.release()
    assert another.is_in_place
    another.release()


def test_the_holder_deletes_the_file_while_it_is_opened(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    earlier = acquire(path)
    assert earlier
    lock_descriptor = file_lock._lock

    def released_meanwhile(descriptor: int, *, shared: bool) -> None:
        monkeypatch.setattr(file_lock, "_lock", lock_descriptor)
        earlier.release()
        lock_descriptor(descriptor, shared=shared)

    monkeypatch.setattr(file_lock, "_lock", released_meanwhile)
    lock = acquire(path)
    assert lock
    assert is_held(path)
    lock.release()


def test_a_file_system_without_locks(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_locks(descriptor: int, *, shared: bool) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(file_lock, "_lock", no_locks)
    with pytest.raises(OSError, match=os.strerror(errno.ENOLCK)):
        acquire(path)
    assert not is_held(path)
