"Which file of Ollama's official release this machine runs, and where it lies."

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import urljoin, urlsplit

from ..errors import GptOssError
from .unpack import unpackable

OFFICIAL = "https://github.com/ollama/ollama/releases/latest/download/"
CHECKSUMS = "sha256sum.txt"
BY_HAND = "Install Ollama from https://ollama.com/download, start it, and type `llm gpt-oss setup` again."

_PROCESSORS = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
# In order of preference: the .tgz that releases before v0.14 had for Linux needs nothing to be unpacked.
_NAMES = {
    "Linux": ("ollama-linux-{}.tgz", "ollama-linux-{}.tar.zst"),
    "Darwin": ("ollama-darwin.tgz",),
    "Windows": ("ollama-windows-{}.zip",),
}


class Archive(NamedTuple):
    "A file of a release, and the SHA-256 that its release says it has."

    url: str
    sha256: str

    @property
    def name(self) -> str:
        return urlsplit(self.url).path.rpartition("/")[2]


def names(system: str, machine: str) -> list[str]:
    "What the file is called for this system and processor, as `platform` names them."
    processor = _PROCESSORS.get(machine.lower())
    if processor is None or system not in _NAMES:
        raise GptOssError(
            f"There is no official release of Ollama for {system} on {machine}.", remedy=BY_HAND
        )
    return [name.format(processor) for name in _NAMES[system]]


def folder_and_names(source: str, system: str, machine: str) -> tuple[str, list[str]]:
    "A source is a release's folder, or one file in it."
    try:
        scheme, _, path, _, _ = urlsplit(source)
    except ValueError:
        scheme = path = ""
    if scheme not in ("http", "https"):
        raise GptOssError(
            "A release can be downloaded from an http or https address only.",
            remedy=f"Type one after --from, such as {OFFICIAL}",
        )
    name = path.rpartition("/")[2]
    if name.endswith((".tgz", ".tar.gz", ".tar.zst", ".zip")):
        return urljoin(source, "."), [name]
    return source.rstrip("/") + "/", names(system, machine)


def checksums(text: str) -> dict[str, str]:
    "File name to SHA-256, from what `sha256sum` prints. What is none is left out: it becomes part of a path."
    lines = [line.split(maxsplit=1) for line in text.splitlines()]
    sums = [line for line in lines if len(line) == 2 and re.fullmatch(r"[0-9A-Fa-f]{64}", line[0])]
    return {name.lstrip("*").removeprefix("./"): checksum.lower() for checksum, name in sums}


def choose(folder: str, wanted: list[str], sums: dict[str, str]) -> Archive:
    "The first wanted file that the release has and that this machine can unpack."
    there = [name for name in wanted if name in sums]
    if not there:
        raise GptOssError(f"The release has no {' or '.join(wanted)} in its {CHECKSUMS}.", remedy=BY_HAND)
    for name in there:
        if unpackable(name):
            return Archive(urljoin(folder, name), sums[name])
    raise GptOssError(
        f"Nothing here can unpack {there[0]}.",
        remedy="Type `llm install backports.zstd` (or install zstd), then the same again.",
    )
