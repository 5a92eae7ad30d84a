"Finds the file of an Ollama release for this machine."

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import urljoin, urlsplit

from ..errors import GptOssError
from .unpack import can_unpack

OFFICIAL = "https://github.com/ollama/ollama/releases/latest/download/"
CHECKSUMS = "sha256sum.txt"
MANUAL_INSTALL = (
    "Install Ollama from https://ollama.com/download, start it, and type `llm gpt-oss setup` again."
)

_PROCESSORS = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
# In order of preference: Python unpacks the .tgz, which releases before v0.14 had for Linux, on its own.
_ARCHIVE_NAMES = {
    "Linux": ("ollama-linux-{}.tgz", "ollama-linux-{}.tar.zst"),
    "Darwin": ("ollama-darwin.tgz",),
    "Windows": ("ollama-windows-{}.zip",),
}


class Archive(NamedTuple):
    "A file of a release, and its SHA-256 according to the release."

    url: str
    sha256: str

    @property
    def name(self) -> str:
        return urlsplit(self.url).path.rpartition("/")[2]


def archive_names(system: str, machine: str) -> list[str]:
    "The possible names of the file for this system and processor, whose names are those of `platform`."
    processor = _PROCESSORS.get(machine.lower())
    if processor is None or system not in _ARCHIVE_NAMES:
        raise GptOssError(
            f"There is no official release of Ollama for {system} on {machine}.", remedy=MANUAL_INSTALL
        )
    return [name.format(processor) for name in _ARCHIVE_NAMES[system]]


def folder_and_names(source: str, system: str, machine: str) -> tuple[str, list[str]]:
    "Split the URL of a release, or of a file in it, into its folder and the names of files to try."
    try:
        scheme, _, path, _, _ = urlsplit(source)
    except ValueError:
        scheme = path = ""
    if scheme not in ("http", "https"):
        raise GptOssError(
            "A release can only be downloaded from an http or https URL.",
            remedy=f"Type one after --from, such as {OFFICIAL}",
        )
    name = path.rpartition("/")[2]
    if name.endswith((".tgz", ".tar.gz", ".tar.zst", ".zip")):
        return urljoin(source, "."), [name]
    return source.rstrip("/") + "/", archive_names(system, machine)


def parse_checksums(text: str) -> dict[str, str]:
    "Parse the output of `sha256sum`: name to SHA-256. Skip invalid lines: checksums go into paths."
    lines = [line.split(maxsplit=1) for line in text.splitlines()]
    sums = [line for line in lines if len(line) == 2 and re.fullmatch(r"[0-9A-Fa-f]{64}", line[0])]
    return {name.lstrip("*").removeprefix("./"): checksum.lower() for checksum, name in sums}


def choose_archive(folder: str, names: list[str], sums: dict[str, str]) -> Archive:
    "The first of these files that the release has and that this machine can unpack."
    available = [name for name in names if name in sums]
    if not available:
        raise GptOssError(
            f"The release has no {' or '.join(names)} in its {CHECKSUMS}.", remedy=MANUAL_INSTALL
        )
    for name in available:
        if can_unpack(name):
            return Archive(urljoin(folder, name), sums[name])
    raise GptOssError(
        f"This machine cannot unpack {available[0]}.",
        remedy="Type `llm install backports.zstd` (or install zstd), then run the same command again.",
    )
