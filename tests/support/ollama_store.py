"What Ollama keeps on the disk: a manifest and a blob."

from __future__ import annotations

import json
from pathlib import Path

WEIGHTS = "application/vnd.ollama.image.model"


def put(folder: Path, tag: str, content: bytes, *, kind: str = WEIGHTS) -> Path:
    "Puts a model there as `ollama pull` does, and returns the file with its weights."
    path, _, version = tag.partition(":")
    manifest = folder / "manifests" / path / version
    manifest.parent.mkdir(parents=True, exist_ok=True)
    layers = [{"mediaType": "application/x.license", "digest": "sha256:00"}]
    layers += [{"mediaType": kind, "digest": "sha256:aa"}]
    manifest.write_text(json.dumps({"schemaVersion": 2, "layers": layers}))
    blob = folder / "blobs" / "sha256-aa"
    blob.parent.mkdir(exist_ok=True)
    blob.write_bytes(content)
    return blob
