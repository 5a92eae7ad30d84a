from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from proxy.log import lock_holders as module
from proxy.log.lock_holders import lock_holders

HOLD = """
import sqlite3, sys
log = sqlite3.connect(sys.argv[1], isolation_level=None)
log.execute("begin exclusive")
print("locked", flush=True)
sys.stdin.read()
"""


@pytest.fixture(params=["delete", "wal"])
def database(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    path = tmp_path / "logs.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"pragma journal_mode = {request.param}")
        connection.execute("create table a (b)")
    return path


@pytest.fixture
def holder(database: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, database], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout
        assert process.stdout.readline() == "locked\n"
        yield process
        process.kill()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lists locks")
def test_a_program_with_an_open_transaction(database: Path, holder: subprocess.Popen[str]) -> None:
    assert [each.split("(")[1] for each in lock_holders(database)] == [f"process {holder.pid})"]
    assert lock_holders(database)[0].startswith("python")


def test_no_lock(database: Path) -> None:
    assert lock_holders(database) == []


def test_a_system_that_does_not_tell(database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOCKS", tmp_path / "missing")
    assert lock_holders(database) == []


def test_a_program_that_has_ended(database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    locks = tmp_path / "locks"
    locks.write_text(f"1: POSIX  ADVISORY  WRITE 999999999 00:31:{database.stat().st_ino} 0 EOF\n")
    monkeypatch.setattr(module, "LOCKS", locks)
    assert lock_holders(database) == ["another program (process 999999999)"]
