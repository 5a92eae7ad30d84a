'Headers of GGUF files for tests: `gguf_header({"general.architecture": "gpt-oss"})`.'

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any


def text_bytes(value: str) -> bytes:
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def value_bytes(value: Any) -> bytes:
    "The value with its type. A list has strings."
    match value:
        case bool():
            return struct.pack("<I?", 7, value)
        case int():
            return struct.pack("<II", 4, value)
        case float():
            return struct.pack("<If", 6, value)
        case str():
            return struct.pack("<I", 8) + text_bytes(value)
    return struct.pack("<IIQ", 9, 8, len(value)) + b"".join(map(text_bytes, value))


def gguf_header(metadata: dict[str, Any], version: int = 3, keys: int | None = None) -> bytes:
    "The header with this metadata. `keys` claims another number of keys than there are."
    start = b"GGUF" + struct.pack("<IQQ", version, 0, len(metadata) if keys is None else keys)
    return start + b"".join(text_bytes(key) + value_bytes(value) for key, value in metadata.items())


def write_with_architecture(source: Path, target: Path, architecture: str) -> None:
    "Copy a model under the name of another architecture, which must be as long as the old one."
    data = source.read_bytes()
    old = b"gpt-oss"
    assert len(architecture) == len(old)
    target.write_bytes(data.replace(old, architecture.encode()))
