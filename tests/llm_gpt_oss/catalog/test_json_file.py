from __future__ import annotations

import errno
import json
import os
import stat
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from llm_gpt_oss import file_lock
from llm_gpt_oss.catalog import json_file
from llm_gpt_oss.catalog.json_file import edit_json
from llm_gpt_oss.errors import GptOssError

Content = dict[str, Any]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "some.json"


@pytest.fixture
def read(path: Path) -> Callable[[], Content]:
    def read() -> Content:
        content: Content = json.loads(path.read_text()) if path.exists() else {}
        return content

    return read


def test_changed_value_is_written(path: Path, read: Callable[[], Content]) -> None:
    for name in ("é", "b"):
        with edit_json(path, read) as content:
            content[name] = [1]
    assert path.read_text() == '{\n    "é": [\n        1\n    ],\n    "b": [\n        1\n    ]\n}\n'
    assert [*path.parent.iterdir()] == [path]


def test_only_the_owner_can_read_the_file(path: Path, read: Callable[[], Content]) -> None:
    before = os.umask(0)
    with edit_json(path, read):
        pass
    os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_symbolic_link_stays(path: Path, read: Callable[[], Content]) -> None:
    (target := path.with_name("dotfile")).write_text("{}")
    path.symlink_to(target)
    with edit_json(path, read) as content:
        content["a"] = 1
    assert path.is_symlink()
    assert json.loads(target.read_text()) == {"a": 1}


def test_error_leaves_the_file_unchanged(path: Path, read: Callable[[], Content]) -> None:
    path.write_text("{}")
    with pytest.raises(KeyError), edit_json(path, read) as content:
        content["a"] = content["b"]
    assert (path.read_text(), [*path.parent.iterdir()]) == ("{}", [path])


def test_full_disk(path: Path, read: Callable[[], Content], monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(GptOssError, match=r"some\.json cannot be written: No space left on device\."):
        test_changed_value_is_written(path, read)
    assert [*path.parent.iterdir()] == []


def test_missing_folder(path: Path, read: Callable[[], Content]) -> None:
    with (
        pytest.raises(GptOssError, match="cannot be written: No such file or directory"),
        edit_json(path.parent / "none" / "some.json", read),
    ):
        pytest.fail("the file cannot be locked")


def test_concurrent_edits_are_all_kept(path: Path, read: Callable[[], Content]) -> None:
    def read_slowly() -> Content:
        content = read()
        time.sleep(0.02)
        return content

    def add(name: str) -> None:
        with edit_json(path, read_slowly) as content:
            content[name] = 1

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(add, "abcdefgh"))
    assert sorted(read()) == [*"abcdefgh"]


def test_another_writer_takes_too_long(
    path: Path, read: Callable[[], Content], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_file, "LOCK_TIMEOUT", 0.02)
    lock = file_lock.acquire(path.with_name("some.json.lock"))
    assert lock
    with (
        pytest.raises(GptOssError, match=r"some\.json is locked: another command.*Try again when"),
        edit_json(path, read),
    ):
        pytest.fail("the file is locked")
    lock.release()
    assert [*path.parent.iterdir()] == []


def test_files_of_a_killed_writer(path: Path, read: Callable[[], Content]) -> None:
    "The operating system released its lock."
    path.with_name("some.json.lock").touch()
    path.with_name("some.json.draft").write_text("{" * 99)
    test_changed_value_is_written(path, read)
    assert [*path.parent.iterdir()] == [path]


def test_a_file_system_without_locks(
    path: Path, read: Callable[[], Content], monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_locks(path: Path) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(file_lock, "acquire", no_locks)
    test_changed_value_is_written(path, read)
