from __future__ import annotations

import gzip
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from types import ModuleType

import pytest
from support.fake_ollama import program, tar, zipped

from llm_gpt_oss.errors import GptOssError
from llm_gpt_oss.setup.unpack import can_unpack, unpack

GOOD = {"bin/ollama": "#!", "lib/a.so.1": "lib", "lib/a.so": "->a.so.1"}


@pytest.fixture
def gzip_as_zstd(monkeypatch: pytest.MonkeyPatch) -> None:
    "Replaces the backport with a module that reads gzip, so that the tests do not need the backport."
    stand_in = ModuleType("backports.zstd")
    stand_in.open, stand_in.ZstdError = gzip.open, gzip.BadGzipFile  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "compression.zstd", None)
    monkeypatch.setitem(sys.modules, "backports", ModuleType("backports"))
    monkeypatch.setitem(sys.modules, "backports.zstd", stand_in)


@pytest.fixture
def no_zstd_module(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("compression.zstd", "backports.zstd"):
        monkeypatch.setitem(sys.modules, name, None)


@pytest.fixture
def gzip_as_zstd_program(no_zstd_module: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path / "path" / "zstd", 'exec gzip --decompress --stdout < "$3"')
    monkeypatch.setenv("PATH", f"{tmp_path / 'path'}:{os.environ['PATH']}")


def unpacked(content: bytes, name: str, tmp_path: Path) -> Path:
    (tmp_path / name).write_bytes(content)
    folder = tmp_path / "folder"
    unpack(tmp_path / name, folder)
    return folder


@pytest.mark.parametrize("name", ["a.tgz", "a.tar.gz"])
def test_tar_with_modes_and_links(name: str, tmp_path: Path) -> None:
    folder = unpacked(gzip.compress(tar(**GOOD)), name, tmp_path)
    assert os.access(folder / "bin/ollama", os.X_OK)
    assert (folder / "lib/a.so").read_text() == "lib"
    assert {*os.listdir(tmp_path)} == {name, "folder"}


@pytest.mark.usefixtures("gzip_as_zstd")
def test_zst_with_the_module(tmp_path: Path) -> None:
    assert can_unpack("a.tar.zst")
    assert (unpacked(gzip.compress(tar(**GOOD)), "a.tar.zst", tmp_path) / "lib/a.so").read_text() == "lib"


@pytest.mark.usefixtures("gzip_as_zstd_program")
def test_zst_with_the_program(tmp_path: Path) -> None:
    assert can_unpack("a.tar.zst")
    assert (unpacked(gzip.compress(tar(**GOOD)), "a.tar.zst", tmp_path) / "lib/a.so").read_text() == "lib"


@pytest.mark.usefixtures("no_zstd_module")
def test_zst_needs_the_module_or_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert not can_unpack("a.tar.zst")
    assert can_unpack("a.tgz")
    assert can_unpack("a.zip")


@pytest.mark.usefixtures("no_zstd_module")
@pytest.mark.skipif(not shutil.which("zstd"), reason="needs zstd")
def test_real_zst(tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(tar(**GOOD))
    subprocess.run(["zstd", "-q", tmp_path / "a.tar"], check=True)
    unpack(tmp_path / "a.tar.zst", tmp_path / "folder")
    assert (tmp_path / "folder/lib/a.so").read_text() == "lib"


def test_zip(tmp_path: Path) -> None:
    folder = unpacked(zipped(**{"ollama.exe": "MZ", "lib/a.dll": "lib"}), "a.zip", tmp_path)
    assert (folder / "lib/a.dll").read_text() == "lib"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        pytest.param("a.tgz", gzip.compress(tar(**{"ok": "", "../evil": "x"})), id="parent folder"),
        pytest.param("a.tgz", gzip.compress(tar(**{"out": "->../..", "out/evil": "x"})), id="through a link"),
        pytest.param("a.tgz", gzip.compress(tar(out="->/")), id="link to another folder"),
        pytest.param("a.zip", zipped(**{"ok": "", "../evil": "x"}), id="parent folder, zip"),
        pytest.param("a.zip", zipped(**{"/evil": "x"}), id="absolute path, zip"),
        pytest.param("a.tgz", b"not gzip", id="not a tar"),
        pytest.param("a.tgz", gzip.compress(tar(**GOOD))[:60], id="truncated tar"),
        pytest.param("a.zip", b"PK not zip", id="not a zip"),
        pytest.param("a.tar.zst", b"not zstd", id="not a zst"),
    ],
)
@pytest.mark.usefixtures("gzip_as_zstd")
def test_invalid_archives_change_nothing(name: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/old").write_text("old")
    with pytest.raises(GptOssError, match=f"{name} cannot be unpacked"):
        unpacked(content, name, tmp_path)
    assert {*os.listdir(tmp_path)} == {name, "folder"}
    assert os.listdir(tmp_path / "folder") == ["old"]
    assert not (tmp_path.parent / "evil").exists()


def test_newer_release_replaces_the_whole_folder(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/old").write_text("old")
    assert {*os.listdir(unpacked(gzip.compress(tar(**GOOD)), "a.tgz", tmp_path))} == {"bin", "lib"}


def test_python_without_safe_extraction(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(tarfile, "data_filter")
    with pytest.raises(GptOssError, match="this Python is too old"):
        unpacked(gzip.compress(tar(**GOOD)), "a.tgz", tmp_path)
