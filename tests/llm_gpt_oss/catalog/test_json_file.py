from __future__ import annotations

import json
import os
import stat
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

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


def test_what_is_left_is_written(path: Path, read: Callable[[], Content]) -> None:
    for name in ("é", "b"):
        with edit_json(path, read) as content:
            content[name] = [1]
    assert path.read_text() == '{\n    "é": [\n        1\n    ],\n    "b": [\n        1\n    ]\n}\n'
    assert [*path.parent.iterdir()] == [path]


def test_it_is_its_owners(path: Path, read: Callable[[], Content]) -> None:
    before = os.umask(0)
    with edit_json(path, read):
        pass
    os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_link_stays_one(path: Path, read: Callable[[], Content]) -> None:
    (elsewhere := path.with_name("dotfile")).write_text("{}")
    path.symlink_to(elsewhere)
    with edit_json(path, read) as content:
        content["a"] = 1
    assert path.is_symlink()
    assert json.loads(elsewhere.read_text()) == {"a": 1}


def test_an_error_changes_nothing(path: Path, read: Callable[[], Content]) -> None:
    path.write_text("{}")
    with pytest.raises(KeyError), edit_json(path, read) as content:
        content["a"] = content["b"]
    assert (path.read_text(), [*path.parent.iterdir()]) == ("{}", [path])


def test_a_full_disk(path: Path, read: Callable[[], Content], monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(GptOssError, match=r"some\.json cannot be written: No space left on device\."):
        test_what_is_left_is_written(path, read)
    assert [*path.parent.iterdir()] == []


def test_a_folder_that_is_not_there(path: Path, read: Callable[[], Content]) -> None:
    with (
        pytest.raises(GptOssError, match="cannot be written: No such file or directory"),
        edit_json(path.parent / "none" / "some.json", read),
    ):
        pytest.fail("nothing to change")


def test_no_change_is_lost(path: Path, read: Callable[[], Content]) -> None:
    def slowly() -> Content:
        content = read()
        time.sleep(0.02)
        return content

    def add(name: str) -> None:
        with edit_json(path, slowly) as content:
            content[name] = 1

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(add, "abcdefgh"))
    assert sorted(read()) == [*"abcdefgh"]


def test_a_writer_that_was_killed(
    path: Path, read: Callable[[], Content], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_file, "LOCK_TIMEOUT", 0.02)
    (left := path.with_name("some.json.lock")).touch()
    with (
        pytest.raises(GptOssError, match=r"some\.json\.lock is in the way.*Delete that file"),
        edit_json(path, read),
    ):
        pytest.fail("nobody may write")
    assert left.exists(), "it may be another's"
