from __future__ import annotations

import pytest

from llm_gpt_oss.errors import GptOssError
from llm_gpt_oss.setup.release import (
    OFFICIAL,
    Archive,
    archive_names,
    choose_archive,
    folder_and_names,
    parse_checksums,
)

NAME, SUM = "ollama-linux-amd64.tgz", "ab" * 32


@pytest.mark.parametrize(
    ("system", "machine", "expected"),
    [
        ("Linux", "x86_64", ["ollama-linux-amd64.tgz", "ollama-linux-amd64.tar.zst"]),
        ("Linux", "aarch64", ["ollama-linux-arm64.tgz", "ollama-linux-arm64.tar.zst"]),
        ("Darwin", "arm64", ["ollama-darwin.tgz"]),
        ("Darwin", "x86_64", ["ollama-darwin.tgz"]),
        ("Windows", "AMD64", ["ollama-windows-amd64.zip"]),
        ("Windows", "ARM64", ["ollama-windows-arm64.zip"]),
    ],
)
def test_archive_names(system: str, machine: str, expected: list[str]) -> None:
    assert archive_names(system, machine) == expected


@pytest.mark.parametrize(("system", "machine"), [("Linux", "riscv64"), ("FreeBSD", "amd64"), ("", "")])
def test_unsupported_machines(system: str, machine: str) -> None:
    with pytest.raises(GptOssError, match=r"ollama\.com/download"):
        archive_names(system, machine)


LINUX = archive_names("Linux", "x86_64")


@pytest.mark.parametrize(
    ("source", "folder", "files"),
    [
        (OFFICIAL, OFFICIAL, LINUX),
        ("http://mirror:8/v1", "http://mirror:8/v1/", LINUX),
        ("https://mirror/v1/my-ollama.tar.zst", "https://mirror/v1/", ["my-ollama.tar.zst"]),
        ("https://me:secret@mirror/a.tgz", "https://me:secret@mirror/", ["a.tgz"]),
    ],
)
def test_folder_and_names(source: str, folder: str, files: list[str]) -> None:
    assert folder_and_names(source, "Linux", "x86_64") == (folder, files)


@pytest.mark.parametrize(
    "source", ["", "/tmp/ollama.tgz", "file:///tmp/ollama.tgz", "ftp://mirror/", "http://[/"]
)
def test_sources_that_are_not_http_urls(source: str) -> None:
    with pytest.raises(GptOssError, match="--from"):
        folder_and_names(source, "Linux", "x86_64")


def test_parse_checksums() -> None:
    text = f"{SUM.upper()}  ./{NAME}\n{SUM} *b.zip\n\nnonsense\n../../x  c.zip\n{SUM[1:]}  d.zip\n"
    assert parse_checksums(text) == {NAME: SUM, "b.zip": SUM}


def test_choose_archive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("llm_gpt_oss.setup.release.can_unpack", lambda name: name == "b.tar.zst")
    sums = {"a.tar.zst": "1", "b.tar.zst": "2"}
    assert choose_archive("http://m/v/", ["x.tgz", "a.tar.zst", "b.tar.zst"], sums) == Archive(
        "http://m/v/b.tar.zst", "2"
    )
    with pytest.raises(GptOssError, match=r"unpack a\.tar\.zst.*llm install backports\.zstd"):
        choose_archive("http://m/v/", ["a.tar.zst"], sums)
    with pytest.raises(GptOssError, match=r"no x\.tgz or y\.tgz in its sha256sum\.txt"):
        choose_archive("http://m/v/", ["x.tgz", "y.tgz"], sums)
