'The heads of GGUF files, written for tests: `head({"general.architecture": "gpt-oss"})`.'

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value.encode())) + value.encode()


def value(what: Any) -> bytes:
    match what:
        case bool():
            return struct.pack("<I?", 7, what)
        case int():
            return struct.pack("<II", 4, what)
        case float():
            return struct.pack("<If", 6, what)
        case str():
            return struct.pack("<I", 8) + text(what)
    return struct.pack("<IIQ", 9, 8, len(what)) + b"".join(map(text, what))


def head(told: dict[str, Any], version: int = 3, keys: int | None = None) -> bytes:
    start = b"GGUF" + struct.pack("<IQQ", version, 0, len(told) if keys is None else keys)
    return start + b"".join(text(key) + value(what) for key, what in told.items())


def renamed(source: Path, target: Path, architecture: str) -> None:
    "The same model under another architecture's name. The tensors behind the head stay where they were."
    data = source.read_bytes()
    old = b"gpt-oss"
    assert len(architecture) == len(old)
    target.write_bytes(data.replace(old, architecture.encode()))
