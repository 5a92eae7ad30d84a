from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from llm_gpt_oss.errors import GptOssError
from proxy.log import file_access
from proxy.log.file_access import is_open_to_others, protect
from proxy.log.spool import Spool


@pytest.fixture
def folder() -> Iterator[Path]:
    "A folder that all users can enter. Pytest's own ones belong to one user."
    with tempfile.TemporaryDirectory() as path:
        (opened := Path(path)).chmod(0o755)
        yield opened


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


@pytest.mark.parametrize(
    ("file_mode", "folder_mode", "is_open"),
    [
        pytest.param(0o644, 0o755, True, id="as llm creates it"),
        pytest.param(0o602, 0o755, True, id="others can write it"),
        pytest.param(0o640, 0o755, False, id="a group's"),
        pytest.param(0o600, 0o755, False, id="its owner's"),
        pytest.param(0o644, 0o700, False, id="in the owner's folder"),
    ],
)
def test_who_can_use_a_file(folder: Path, file_mode: int, folder_mode: int, is_open: bool) -> None:
    (file := folder / "logs.db").touch()
    (link := folder / "link").symlink_to(file)
    file.chmod(file_mode)
    folder.chmod(folder_mode)
    assert is_open_to_others(file) is is_open_to_others(link) is is_open


def test_files_that_do_not_exist(folder: Path) -> None:
    assert not is_open_to_others(folder / "logs.db")


def test_a_system_without_permissions(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (file := folder / "logs.db").touch()
    file.chmod(0o644)
    monkeypatch.setattr(file_access.os, "name", "nt")
    assert not is_open_to_others(file)


def test_all_files_are_protected(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (database := tmp_path / "logs.db").symlink_to(elsewhere / "real.db")
    spool = Spool(database).folder
    spool.mkdir(mode=0o755)
    (outside := tmp_path / "outside").write_text("")
    (spool / "link").symlink_to(outside)
    files = [*(elsewhere / f"real.db{ending}" for ending in ("", "-wal", "-shm")), spool / "1.json"]
    for path in (*files, outside):
        path.write_text("")
        path.chmod(0o664)
    spool.chmod(0o755)
    (secret := spool / "2.json").touch()
    secret.chmod(0o600)
    assert protect(database, spool) == [*files[:3], spool, files[3]]
    assert [mode(path) for path in (*files, secret, outside)] == [0o600] * 5 + [0o664]
    assert mode(spool) == 0o700
    assert protect(database, spool) == []


def test_a_file_that_vanishes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (database := tmp_path / "logs.db").touch()
    database.chmod(0o644)
    monkeypatch.setattr(file_access, "_files", lambda *_: [tmp_path / "1.json", database])
    assert protect(database, tmp_path) == [database]


def test_no_log(tmp_path: Path) -> None:
    with pytest.raises(GptOssError, match="There is no log at"):
        protect(tmp_path / "logs.db", tmp_path)


def test_a_file_of_another_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (database := tmp_path / "logs.db").touch()
    database.chmod(0o644)

    def chmod(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "chmod", chmod)
    with pytest.raises(GptOssError, match=r"logs\.db cannot be protected: Operation not permitted\."):
        protect(database, tmp_path)
