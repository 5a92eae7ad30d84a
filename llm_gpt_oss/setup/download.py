"A release's file to this machine: resumed where it was cut, and used only if its checksum is right."

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
from .progress import Progress, Report, persist
from .release import BY_HAND, CHECKSUMS, Archive, checksums

SILENCE = 30.0  # seconds without a byte after which a connection counts as cut
_CHUNK = 1 << 16
_PASSING = {408, 429, 500, 502, 503, 504}  # what a server answers that may answer otherwise in a moment


class _Cut(GptOssError):
    "The connection ended, or never began: worth another attempt."


def fetch_checksums(folder: str) -> dict[str, str]:
    "What the release in that folder says its files hash to."
    url = urljoin(folder, CHECKSUMS)
    try:
        with _open(url) as response:
            return checksums(response.read().decode(errors="replace"))
    except _Cut as problem:
        raise _failed(url, str(problem)) from problem


def download(archive: Archive, folder: Path, report: Report) -> Path:
    "The whole file, in that folder. If it is interrupted, what has arrived stays there for the next time."
    # The name says what it is to become: a newer release is never appended to an older one.
    file = folder / f"{archive.sha256[:12]}-{archive.name}"
    try:
        for older in {*folder.glob(f"*-{archive.name}")} - {file}:
            older.unlink()
        persist(lambda: _fetch(archive, file), report, interruption=_Cut)
        report(Progress(f"checking {archive.name}"))
        actual = _sha256(file)
        if actual != archive.sha256:
            file.unlink()
            raise GptOssError(
                f"{archive.name} from {without_login(archive.url)} was thrown away: its SHA-256 is {actual}, "
                f"its release says {archive.sha256}.",
                remedy="Type the same again; if that does not help, the source is not to be trusted.",
            )
        return file
    except _Cut as problem:
        raise _failed(archive.url, str(problem)) from problem
    except OSError as problem:
        raise GptOssError(f"{file} cannot be written: {problem.strerror}.") from problem


def _fetch(archive: Archive, file: Path) -> Iterator[Progress]:
    "Append what is missing. A server that cannot go on in the middle sends all of it again."
    have = file.stat().st_size if file.exists() else 0
    with _open(archive.url, have) as response:
        if response.status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return  # all of it was here already
        have = have if response.status == HTTPStatus.PARTIAL_CONTENT else 0
        length = response.headers["Content-Length"]
        total = have + int(length) if length else None
        with open(file, "ab" if have else "wb", opener=private) as output:
            while chunk := _read(response):
                output.write(chunk)
                have += len(chunk)
                yield Progress(archive.name, have, total)
    if total is not None and have < total:
        raise _Cut(f"the connection ended after {have} of {total} bytes")


def _open(url: str, start: int = 0) -> HTTPResponse | HTTPError:
    "GET, from that byte on. A range that is not there is an answer too."
    request = Request(without_login(url))
    if start:
        request.add_header("Range", f"bytes={start}-")
    if login := urlsplit(url).netloc.rpartition("@")[0]:
        credentials = base64.b64encode(unquote(login).encode()).decode()
        # Unredirected: they are no business of the storage that a release's address may lead to.
        request.add_unredirected_header("Authorization", f"Basic {credentials}")
    try:
        response: HTTPResponse = urlopen(request, timeout=SILENCE)
        return response
    except HTTPError as answer:
        if answer.status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return answer
        answer.close()
        if answer.status in _PASSING:
            raise _Cut(f"{answer.status} {answer.reason}") from answer
        raise _failed(url, f"{answer.status} {answer.reason}") from answer
    except (OSError, HTTPException) as problem:
        raise _Cut(_why(problem)) from problem


def _read(response: HTTPResponse | HTTPError) -> bytes:
    try:
        return response.read(_CHUNK)
    except (OSError, HTTPException) as problem:
        raise _Cut(_why(problem)) from problem


def _why(problem: Exception) -> str:
    reason = getattr(problem, "reason", problem)  # URLError wraps the one that matters
    return getattr(reason, "strerror", None) or str(reason)


def _failed(url: str, why: str) -> GptOssError:
    return GptOssError(
        f"{without_login(url)} cannot be downloaded: {why}.",
        remedy=f"Type the same again, or name another source after --from. Or by hand: {BY_HAND}",
    )


def without_login(url: str) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def private(path: str, flags: int) -> int:
    "What `open` is to open a file with that only its owner may read."
    return os.open(path, flags, 0o600)


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
