"Unpacks archives into a folder, completely or not at all, and never outside the folder."

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


def can_unpack(name: str) -> bool:
    "Whether this machine can unpack a file with this name. Only .zst needs a module that may be missing."
    return not name.endswith(".zst") or _zstd_module() is not None or shutil.which("zstd") is not None


def unpack(archive: Path, folder: Path) -> None:
    "Replace the folder with the content of the archive. If that fails, the folder stays as it was."
    staging = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f"{folder.name}."))
    try:
        if archive.suffix == ".zip":
            _unzip(archive, staging)
        else:
            _untar(archive, staging)
        if folder.exists():
            shutil.rmtree(folder)
        staging.rename(folder)
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, OSError) as problem:
        raise GptOssError(f"{archive.name} cannot be unpacked: {problem}.") from problem
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _unzip(archive: Path, folder: Path) -> None:
    with zipfile.ZipFile(archive) as content:
        for name in content.namelist():
            # extractall() would silently put it somewhere else.
            if ".." in PurePosixPath(name).parts or PurePosixPath(name).is_absolute():
                raise zipfile.BadZipFile(f"{name!r} would land outside the folder")
        content.extractall(folder)  # noqa: S202 (the names were checked)


def _untar(archive: Path, folder: Path) -> None:
    if not hasattr(tarfile, "data_filter"):
        raise tarfile.TarError("this Python is too old to do that safely. Update to its latest patch release")
    with _uncompressed(archive) as file, tarfile.open(fileobj=file, mode="r|*") as content:
        content.extractall(folder, filter="data")


@contextmanager
def _uncompressed(archive: Path) -> Iterator[IO[bytes]]:
    "The bytes of the archive, without a compression that tarfile cannot read."
    if archive.suffix != ".zst":
        with archive.open("rb") as file:
            yield file
    elif (zstd := _zstd_module()) is not None:
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


def _zstd_module() -> Any:
    "Python's own zstd module (from 3.14 on), or its backport, or None."
    for name in ("compression.zstd", "backports.zstd"):
        with suppress(ImportError):
            return import_module(name)
    return None
