"An archive to a folder: all of it or nothing, and nothing outside the folder."

from __future__ import annotations

import shutil
import subprocess
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path, PurePosixPath
from typing import IO, Any

from ..errors import GptOssError


def unpackable(name: str) -> bool:
    "Whether this machine can unpack a file of that name. Only .zst needs anything that Python may lack."
    return not name.endswith(".zst") or _zstd() is not None or shutil.which("zstd") is not None


def unpack(archive: Path, folder: Path) -> None:
    "Put what the archive holds in place of the folder. If it cannot be unpacked the folder stays as it was."
    fresh = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f"{folder.name}."))
    try:
        if archive.suffix == ".zip":
            _unzip(archive, fresh)
        else:
            _untar(archive, fresh)
        if folder.exists():
            shutil.rmtree(folder)
        fresh.rename(folder)
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, OSError) as problem:
        raise GptOssError(f"{archive.name} cannot be unpacked: {problem}.") from problem
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _unzip(archive: Path, folder: Path) -> None:
    with zipfile.ZipFile(archive) as content:
        for name in content.namelist():
            # extractall() would put it somewhere else without a word.
            if ".." in PurePosixPath(name).parts or PurePosixPath(name).is_absolute():
                raise zipfile.BadZipFile(f"{name!r} would land outside the folder")
        content.extractall(folder)


def _untar(archive: Path, folder: Path) -> None:
    if not hasattr(tarfile, "data_filter"):
        raise tarfile.TarError("this Python is too old to do that safely, its next patch release is not")
    with _plain(archive) as file, tarfile.open(fileobj=file, mode="r|*") as content:
        content.extractall(folder, filter="data")


@contextmanager
def _plain(archive: Path) -> Iterator[IO[bytes]]:
    "The archive's bytes, without the compression that tarfile does not know."
    if archive.suffix != ".zst":
        with archive.open("rb") as file:
            yield file
    elif (zstd := _zstd()) is not None:
        try:
            with zstd.open(archive, "rb") as file:
                yield file
        except zstd.ZstdError as problem:
            raise tarfile.ReadError(str(problem)) from problem
    else:
        command = ["zstd", "--decompress", "--stdout", str(archive)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
            assert process.stdout is not None
            yield process.stdout


def _zstd() -> Any:
    "Python's own from 3.14 on, or its backport; None where there is neither."
    for name in ("compression.zstd", "backports.zstd"):
        with suppress(ImportError):
            return import_module(name)
    return None
