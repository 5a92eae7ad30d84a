"Downloads a file of a release, resumes interrupted downloads, and verifies the checksum."

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Iterator
from http import HTTPStatus
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import unquote, urljoin, urlsplit
from urllib.request import Request, urlopen

from ..errors import GptOssError
from .progress import Progress, Report, run_with_retries
from .release import CHECKSUMS, MANUAL_INSTALL, Archive, parse_checksums

READ_TIMEOUT = 30.0  # seconds
_CHUNK = 1 << 16
_TRANSIENT_STATUSES = {408, 429, 500, 502, 503, 504}


class _Interrupted(GptOssError):
    "The connection failed or ended early. Another attempt may succeed."


def fetch_checksums(folder: str) -> dict[str, str]:
    "The SHA-256 of each file of the release, by name."
    url = urljoin(folder, CHECKSUMS)
    try:
        with _open(url) as response:
            return parse_checksums(response.read().decode(errors="replace"))
    except _Interrupted as problem:
        raise _download_error(url, str(problem)) from problem


def download(archive: Archive, folder: Path, report: Report) -> Path:
    "Download the file into the folder. The next call resumes an interrupted download."
    # The name contains the checksum, so that a newer release is never appended to an older one.
    file = folder / f"{archive.sha256[:12]}-{archive.name}"
    try:
        for old_file in {*folder.glob(f"*-{archive.name}")} - {file}:
            old_file.unlink()
        run_with_retries(lambda: _fetch(archive, file), report, interruption=_Interrupted)
        report(Progress(f"checking {archive.name}"))
        actual = _sha256(file)
        if actual != archive.sha256:
            file.unlink()
            raise GptOssError(
                f"{archive.name} from {without_login(archive.url)} was deleted: its SHA-256 is {actual}, "
                f"but should be {archive.sha256}.",
                remedy="Run the same command again. If that does not help, do not trust the source.",
            )
        return file
    except _Interrupted as problem:
        raise _download_error(archive.url, str(problem)) from problem
    except OSError as problem:
        raise GptOssError(f"{file} cannot be written: {problem.strerror}.") from problem


def _fetch(archive: Archive, file: Path) -> Iterator[Progress]:
    "Append the missing part. A server without support for ranges sends the whole file again."
    size = file.stat().st_size if file.exists() else 0
    with _open(archive.url, size) as response:
        if response.status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return  # the file is complete
        size = size if response.status == HTTPStatus.PARTIAL_CONTENT else 0
        length = response.headers["Content-Length"]
        total = size + int(length) if length else None
        with open(file, "ab" if size else "wb", opener=open_private) as output:
            while chunk := _read(response):
                output.write(chunk)
                size += len(chunk)
                yield Progress(archive.name, size, total)
    if total is not None and size < total:
        raise _Interrupted(f"the connection ended after {size} of {total} bytes")


def _open(url: str, start: int = 0) -> HTTPResponse | HTTPError:
    "Send a GET request for the bytes from `start` on. Status 416, no such range, is not an error."
    request = Request(without_login(url))  # noqa: S310 (release.py accepts only http and https)
    if start:
        request.add_header("Range", f"bytes={start}-")
    if login := urlsplit(url).netloc.rpartition("@")[0]:
        credentials = base64.b64encode(unquote(login).encode()).decode()
        # Not for redirects: the server that a release redirects to must not receive the login.
        request.add_unredirected_header("Authorization", f"Basic {credentials}")
    try:
        response: HTTPResponse = urlopen(request, timeout=READ_TIMEOUT)  # noqa: S310 (as above)
        return response
    except HTTPError as answer:
        if answer.status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return answer
        answer.close()
        if answer.status in _TRANSIENT_STATUSES:
            raise _Interrupted(f"{answer.status} {answer.reason}") from answer
        raise _download_error(url, f"{answer.status} {answer.reason}") from answer
    except (OSError, HTTPException) as problem:
        raise _Interrupted(_reason(problem)) from problem


def _read(response: HTTPResponse | HTTPError) -> bytes:
    try:
        return response.read(_CHUNK)
    except (OSError, HTTPException) as problem:
        raise _Interrupted(_reason(problem)) from problem


def _reason(problem: Exception) -> str:
    cause = getattr(problem, "reason", problem)  # URLError wraps the error that says why
    return getattr(cause, "strerror", None) or str(cause)


def _download_error(url: str, reason: str) -> GptOssError:
    return GptOssError(
        f"{without_login(url)} cannot be downloaded: {reason}.",
        remedy=f"Run the same command again, or name another source after --from. Or: {MANUAL_INSTALL}",
    )


def without_login(url: str) -> str:
    "The URL without a user name and a password, to be shown."
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def open_private(path: str, flags: int) -> int:
    "An `opener` for `open`: it creates files that only their owner can read."
    return os.open(path, flags, 0o600)


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
