from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path
from typing import Any

import pytest
from support.webserver import Answer, WebServer

from llm_gpt_oss.errors import GptOssError
from llm_gpt_oss.setup import download as download_module
from llm_gpt_oss.setup.download import download, fetch_checksums, without_login
from llm_gpt_oss.setup.progress import Progress
from llm_gpt_oss.setup.release import Archive

BODY = bytes(range(256)) * 1000
SUM = hashlib.sha256(BODY).hexdigest()
NAME = "ollama-linux-amd64.tgz"


def archive(web: WebServer, sha256: str = SUM) -> Archive:
    return Archive(f"{web.url}/v/{NAME}", sha256)


def test_download_is_verified_and_private(web: WebServer, tmp_path: Path, reports: list[Progress]) -> None:
    web.routes[f"/v/{NAME}"] = Answer(BODY)
    file = download(archive(web), tmp_path, reports.append)
    assert file.read_bytes() == BODY
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert reports[-2:] == [Progress(NAME, len(BODY), len(BODY)), Progress(f"checking {NAME}")]


@pytest.mark.parametrize(
    ("answers", "ranges"),
    [
        pytest.param([Answer(BODY, cut=70_000), Answer(BODY)], [None, "bytes=70000-"], id="connection ends"),
        pytest.param(
            [Answer(BODY, cut=70_000), Answer(BODY, resumable=False)],
            [None, "bytes=70000-"],
            id="server without ranges",
        ),
        pytest.param(
            [
                Answer(BODY, cut=70_000),
                Answer(status=503, resumable=False),
                Answer(BODY, cut=80_000),
                Answer(BODY),
            ],
            [None, "bytes=70000-", "bytes=70000-", "bytes=150000-"],
            id="busy server",
        ),
        pytest.param([Answer(BODY, headers={"Content-Length": ""})], [None], id="no length"),
    ],
)
def test_interrupted_download_is_resumed(
    answers: list[Answer], ranges: list[str | None], web: WebServer, tmp_path: Path, pauses: list[float]
) -> None:
    web.routes[f"/v/{NAME}"] = answers
    assert download(archive(web), tmp_path, lambda _: None).read_bytes() == BODY
    assert [headers.get("Range") for _, headers in web.requests] == ranges
    assert len(pauses) == len(ranges) - 1


def test_next_call_resumes_the_download(web: WebServer, tmp_path: Path, pauses: list[float]) -> None:
    web.routes[f"/v/{NAME}"] = Answer(BODY, cut=70_000, resumable=False)
    with pytest.raises(GptOssError, match=rf"/v/{NAME} cannot be downloaded: .*70000 of 256000.*--from"):
        download(archive(web), tmp_path, lambda _: None)
    web.routes[f"/v/{NAME}"] = Answer(BODY)
    web.requests.clear()
    assert download(archive(web), tmp_path, lambda _: None).read_bytes() == BODY
    # A complete file takes one request, which has no bytes to send.
    assert download(archive(web), tmp_path, lambda _: None).read_bytes() == BODY
    assert [headers["Range"] for _, headers in web.requests] == ["bytes=70000-", "bytes=256000-"]


def test_file_with_a_wrong_checksum_is_deleted(web: WebServer, tmp_path: Path) -> None:
    web.routes[f"/v/{NAME}"] = Answer(BODY)
    with pytest.raises(GptOssError, match=f"deleted: its SHA-256 is {SUM}, but should be {'0' * 64}"):
        download(archive(web, "0" * 64), tmp_path, lambda _: None)
    assert os.listdir(tmp_path) == []


def test_parts_of_older_releases_are_deleted(web: WebServer, tmp_path: Path) -> None:
    web.routes[f"/v/{NAME}"] = Answer(BODY)
    (tmp_path / f"123456789012-{NAME}").write_bytes(b"old")
    file = download(archive(web), tmp_path, lambda _: None)
    assert os.listdir(tmp_path) == [file.name]


@pytest.mark.parametrize(
    ("status", "reason"), [(404, "404 Not Found"), (403, "403 Forbidden"), (503, "503 Service Unavailable")]
)
def test_http_errors(status: int, reason: str, web: WebServer, tmp_path: Path) -> None:
    web.routes[f"/v/{NAME}"] = Answer(status=status)
    with pytest.raises(GptOssError, match=reason):
        download(archive(web), tmp_path, lambda _: None)
    assert len(web.requests) == 1


def test_full_disk(web: WebServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    web.routes[f"/v/{NAME}"] = Answer(BODY)
    monkeypatch.setattr(download_module.os, "open", full)
    with pytest.raises(GptOssError, match="cannot be written: No space left on device"):
        download(archive(web), tmp_path, lambda _: None)


def test_connection_error_during_the_download_is_retried(
    web: WebServer, tmp_path: Path, pauses: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    web.routes[f"/v/{NAME}"] = Answer(BODY)
    read, calls = download_module.HTTPResponse.read, iter(range(99))

    def breaking(self: Any, amount: int) -> bytes:
        if next(calls) == 1:
            raise ConnectionResetError(104, "Connection reset by peer")
        return read(self, amount)

    monkeypatch.setattr(download_module.HTTPResponse, "read", breaking)
    assert download(archive(web), tmp_path, lambda _: None).read_bytes() == BODY
    assert len(pauses) == 1


def test_login_of_the_url_is_sent(web: WebServer) -> None:
    web.routes["/v/sha256sum.txt"] = Answer(f"{SUM}  ./{NAME}\n".encode())
    folder = web.url.replace("//", "//me:s%20t@") + "/v/"
    assert fetch_checksums(folder) == {NAME: SUM}
    assert web.requests[0][1]["Authorization"] == "Basic bWU6cyB0"


def test_login_is_not_sent_to_redirects_and_not_shown(web: WebServer) -> None:
    web.routes["/v/sha256sum.txt"] = Answer(status=302, headers={"Location": "/elsewhere"})
    with pytest.raises(GptOssError) as error:
        fetch_checksums(web.url.replace("//", "//me:secret@") + "/v/")
    assert "secret" not in str(error.value)
    assert "404" in str(error.value)
    assert ["Authorization" in headers for _, headers in web.requests] == [True, False]


def test_unreachable_release() -> None:
    with pytest.raises(GptOssError, match="cannot be downloaded: Connection refused"):
        fetch_checksums("http://127.0.0.1:1/")


def test_without_login() -> None:
    assert without_login("https://me:secret@host:1/a?b") == "https://host:1/a?b"
