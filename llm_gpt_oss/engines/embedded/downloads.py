"The models that an Ollama on this machine has downloaded: the file behind a tag."

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

WEIGHTS = "application/vnd.ollama.image.model"


def downloaded(tag: str, folders: Sequence[Path]) -> Path | None:
    "The file with the weights of this tag, in the first folder that has it. Nothing is copied."
    return next((file for folder in folders for file in _files(folder / _manifest(tag), folder)), None)


def _manifest(tag: str) -> Path:
    "Where its manifest lies: host, namespace, model and tag, with Ollama's defaults for what is left out."
    *path, name = tag.rpartition("://")[2].split("/")
    model, _, version = name.partition(":")
    defaults = ("registry.ollama.ai", "library")[: 2 - len(path)]
    return Path("manifests", *defaults, *path, model, version or "latest")


def _files(manifest: Path, folder: Path) -> Iterator[Path]:
    try:
        layers = json.loads(manifest.read_bytes())["layers"]
        digests = [layer["digest"] for layer in layers if layer["mediaType"] == WEIGHTS]
    except (OSError, ValueError, KeyError, TypeError):
        return
    # The first is the model; another one would be an adapter of it.
    for digest in digests[:1]:
        file = folder / "blobs" / str(digest).replace(":", "-")
        if file.is_file():
            yield file
