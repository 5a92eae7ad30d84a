"""Find the model files that an Ollama on this machine has downloaded."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

MODEL_LAYER = "application/vnd.ollama.image.model"


def find_download(tag: str, folders: Sequence[Path]) -> Path | None:
    "Return the file with the weights of this tag, from the first of Ollama's model folders that has it."
    return next((file for folder in folders for file in _model_files(folder / _manifest(tag), folder)), None)


def _manifest(tag: str) -> Path:
    """Return the path of the tag's manifest in a model folder, such as
    `manifests/registry.ollama.ai/library/gpt-oss/20b`.

    Parts that the tag does not have get Ollama's defaults.
    """
    *path, name = tag.rpartition("://")[2].split("/")
    model, _, version = name.partition(":")
    defaults = ("registry.ollama.ai", "library")[: 2 - len(path)]
    return Path("manifests", *defaults, *path, model, version or "latest")


def _model_files(manifest: Path, folder: Path) -> Iterator[Path]:
    try:
        layers = json.loads(manifest.read_bytes())["layers"]
        digests = [layer["digest"] for layer in layers if layer["mediaType"] == MODEL_LAYER]
    except (OSError, ValueError, KeyError, TypeError):
        return
    # The first layer of this type is the model. A second one would be a part of it, such as an adapter.
    for digest in digests[:1]:
        file = folder / "blobs" / str(digest).replace(":", "-")
        if file.is_file():
            yield file
