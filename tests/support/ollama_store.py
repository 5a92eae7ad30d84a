"The files of a model that Ollama has downloaded: a manifest and a blob."

from __future__ import annotations

import json
from pathlib import Path

MODEL_LAYER = "application/vnd.ollama.image.model"


def add_model(folder: Path, tag: str, content: bytes, *, media_type: str = MODEL_LAYER) -> Path:
    "Write a model as `ollama pull` does, and return the file with its weights."
    path, _, version = tag.partition(":")
    manifest = folder / "manifests" / path / version
    manifest.parent.mkdir(parents=True, exist_ok=True)
    layers = [{"mediaType": "application/x.license", "digest": "sha256:00"}]
    layers += [{"mediaType": media_type, "digest": "sha256:aa"}]
    manifest.write_text(json.dumps({"schemaVersion": 2, "layers": layers}))
    blob = folder / "blobs" / "sha256-aa"
    blob.parent.mkdir(exist_ok=True)
    blob.write_bytes(content)
    return blob
