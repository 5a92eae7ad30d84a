from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest

from llm_gpt_oss.file_lock import acquire
from llm_gpt_oss.log.database import unlogged_folder
from llm_gpt_oss.log.problems import log_problems


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "logs.db"
    sqlite3.connect(path).close()
    return path


def test_no_problem(path: Path) -> None:
    assert [*log_problems(path)] == []
    path.unlink()
    assert [*log_problems(path)] == []
    assert [*log_problems(path / "no" / "folder")] == []
    assert not path.exists()


def test_a_locked_database(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("begin immediate")
        (problem,) = log_problems(path)
    assert problem.startswith("Turns cannot be logged: database is locked. Make ")


@pytest.mark.parametrize("name", ["logs.db", ""])
def test_a_read_only_database(path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    read_only = path.parent / name
    monkeypatch.setattr(os, "access", lambda path, mode: path != read_only)
    (problem,) = log_problems(path)
    assert problem.startswith("Turns cannot be logged: the database or its folder is read-only. Make ")


def test_a_full_disk(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=9))
    assert [*log_problems(path)] == ["The disk of the log is full: 9 bytes are free. Make room."]


def test_waiting_turns(path: Path) -> None:
    folder = unlogged_folder(path)
    folder.mkdir()
    for name in ("1.json", "2.gone.begun", "3.mine.begun", "3.mine.draft", "3.cancel"):
        (folder / name).touch()
    lock = acquire(folder / "mine.lock")
    assert lock
    (problem,) = log_problems(path)
    assert problem.startswith(f"2 turns wait in {folder}. ")
    lock.release()
    (problem,) = log_problems(path)
    assert problem.startswith(f"3 turns wait in {folder}. ")


def test_entries_that_cannot_be_logged(path: Path) -> None:
    folder = unlogged_folder(path)
    folder.mkdir()
    for number in range(7):
        (folder / f"{number}.rejected").touch()
    (problem,) = log_problems(path)
    assert (
        "cannot be logged: 0.rejected, 1.rejected, 2.rejected, 3.rejected, 4.rejected and 2 more. "
        "`llm gpt-oss logs waiting` says why. `llm gpt-oss logs waiting --retry` tries " in problem
    )


def test_a_folder_with_the_name_of_a_turn_does_not_wait(path: Path) -> None:
    folder = unlogged_folder(path)
    (folder / "x.shell").mkdir(parents=True)
    (problem,) = log_problems(path)
    assert problem.startswith(f"{folder} has entries that cannot be logged: x.shell. ")


def test_a_file_is_where_the_folder_should_be(path: Path) -> None:
    unlogged_folder(path).touch()
    (problem,) = log_problems(path)
    assert problem.startswith(f"{unlogged_folder(path)} cannot be written. ")


def test_a_folder_of_another_user(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    unlogged_folder(path).mkdir()
    monkeypatch.setattr(os, "access", lambda found, mode: found != unlogged_folder(path))
    (problem,) = log_problems(path)
    assert problem.startswith(f"{unlogged_folder(path)} cannot be written. ")
