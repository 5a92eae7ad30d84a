"""A model in memory, in a process of its own.

Its own, because llama.cpp holds Python's lock while it loads, which would stop a proxy for all; because an
error in it ends the process that it is in; because it says only on standard error why it cannot load a file;
and because the memory is surely given back.
"""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter
from typing import IO, Any

from ...errors import EngineError, GptOssError
from ...settings import ServerAddress
from ..local import memory
from .gguf import Head

HOST = Path(__file__).with_name("host.py")
# Answers at once, of those that ask for one.
SLOTS = 4
# Seconds that a process which could not load its model may take to end.
LAST_WORDS = 1.0
DEFAULT_CONTEXT = 16_384


@dataclass(frozen=True, slots=True)
class Load:
    "What is loaded, and how. None leaves it to llama.cpp."

    path: str
    context: int
    threads: int | None = None
    gpu_layers: int | None = None

    def told(self, key: str, needed: int | None, available: int | None) -> Mapping[str, Any]:
        "For the host: `needed` is None where there is no telling whether it fits, or no doubt."
        return {
            **asdict(self),
            "gpu_layers": -1 if self.gpu_layers is None else self.gpu_layers,
            "key": key,
            "slots": SLOTS,
            "needed": needed,
            "available": available,
        }


class Loaded:
    "A model in memory. `server` answers as long as the process lives."

    def __init__(self, load: Load, head: Head) -> None:
        "Returns when the model is loaded. GptOssError if it cannot be, or would not fit."
        began, key = perf_counter(), secrets.token_urlsafe(24)
        needed, available = head.memory(load.context), memory.available_memory()
        doubtful = available is not None and needed > available
        self._process, self._log = _started()
        try:
            _say(self._process, load.told(key, needed if doubtful else None, available))
            said = _heard(self._process)
            if "url" not in said:
                raise _failure(load, said, needed, available or 0, self._words())
        except BaseException:
            self.end()
            raise
        self.server = ServerAddress(said["url"], (("Authorization", f"Bearer {key}"),))
        self.load_ms: float | None = (perf_counter() - began) * 1000

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def end(self) -> None:
        "The memory is free when this returns."
        self._process.kill()
        self._process.communicate()
        self._log.close()

    def _words(self) -> list[str]:
        "What llama.cpp said, without the time and level that it puts before each line."
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(LAST_WORDS)
        self._log.seek(0)
        lines = self._log.read().decode(errors="replace").splitlines()
        return [line.partition(" E ")[2].strip() or line.strip() for line in lines if line.strip()]


def _started() -> tuple[subprocess.Popen[str], IO[bytes]]:
    log = tempfile.TemporaryFile()  # noqa: SIM115 (closed by `end`)
    apart: dict[str, Any] = {"start_new_session": True}  # Ctrl-C is ours to act on
    if sys.platform == "win32":
        apart = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    pipe = subprocess.PIPE
    process = subprocess.Popen(
        [sys.executable, str(HOST)], stdin=pipe, stdout=pipe, stderr=log, text=True, **apart
    )
    return process, log


def _say(process: subprocess.Popen[str], told: Mapping[str, Any]) -> None:
    assert process.stdin is not None
    with suppress(BrokenPipeError):  # what it died of is in its log
        process.stdin.write(json.dumps(told) + "\n")
        process.stdin.flush()


def _heard(process: subprocess.Popen[str]) -> Mapping[str, Any]:
    assert process.stdout is not None
    line = process.stdout.readline()
    heard: Mapping[str, Any] = json.loads(line) if line.endswith("\n") else {}
    return heard


def _failure(
    load: Load, said: Mapping[str, Any], needed: int, available: int, words: list[str]
) -> GptOssError:
    if said.get("short"):
        graphics = f" and {_gigabytes(said['graphics'])} on the GPU" if said["graphics"] else ""
        return EngineError(
            f"{load.path} needs about {_gigabytes(needed)} of memory with a context of {load.context} "
            f"tokens, and {_gigabytes(available)} are free{graphics}.",
            remedy="Close something, type `-o num_ctx 4096` for a shorter context, or take a smaller one.",
        )
    why = next((line for line in words if "error loading model" in line or "Error:" in line), "")
    why = why.rpartition("error loading model: ")[2] or (words[-1] if words else "it does not say why")
    return EngineError(
        f"llama.cpp cannot load {load.path}: {why.rstrip('.')[:300]}.",
        remedy="Another file, or a newer xllamacpp, may do: `llm install -U xllamacpp`.",
    )


def _gigabytes(count: int) -> str:
    return f"{count / 1e9:.1f} GB"
