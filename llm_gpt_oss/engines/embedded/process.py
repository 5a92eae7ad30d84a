"""Run llama.cpp with one model in a process of its own.

There are four reasons for a separate process. llama.cpp holds Python's GIL while it loads, which would block
a proxy. A failed assertion in it ends its process. It explains only on standard error why it cannot load a
file. And when a process ends, its memory is always freed.
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
from ..gguf_header import GgufHeader
from ..local import memory

HOST = Path(__file__).with_name("host.py")
# The number of completions that llama.cpp works on at once.
SLOTS = 4
# Seconds to wait for the exit of a process that could not load its model.
EXIT_TIMEOUT = 5.0


@dataclass(frozen=True, slots=True)
class LoadOptions:
    "The file to load, and the options. None leaves a choice to llama.cpp."

    path: str
    context: int
    threads: int | None = None
    gpu_layers: int | None = None

    def host_request(self, key: str, required: int | None, available: int | None) -> Mapping[str, Any]:
        """Return the request for `host.py`.

        `required` and `available` are bytes of memory. `required` is None if the host need not check them.
        """
        return {
            **asdict(self),
            "gpu_layers": -1 if self.gpu_layers is None else self.gpu_layers,
            "key": key,
            "slots": SLOTS,
            "required_memory": required,
            "available_memory": available,
        }


class ModelProcess:
    "A process with a model in memory. `server` is its HTTP address, which works as long as it is `alive`."

    def __init__(self, options: LoadOptions, header: GgufHeader) -> None:
        """Start the process and wait until the model is loaded.

        Raises GptOssError if the model cannot be loaded, or would not fit into memory.
        """
        began, key = perf_counter(), secrets.token_urlsafe(24)
        required, available = header.required_memory(options.context), memory.available_memory()
        needs_gpu = available is not None and required > available
        self._process, self._log = _start_host()
        try:
            _send(self._process, options.host_request(key, required if needs_gpu else None, available))
            response = _receive(self._process)
            if "url" not in response:
                raise _load_error(options, response, required, available or 0, self._log_lines())
        except BaseException:
            self.close()
            raise
        self.server = ServerAddress(response["url"], (("Authorization", f"Bearer {key}"),))
        self.load_ms: float | None = (perf_counter() - began) * 1000

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def close(self) -> None:
        "End the process. Its memory is free when this returns."
        self._process.kill()
        self._process.communicate()
        self._log.close()

    def _log_lines(self) -> list[str]:
        "Return the messages of llama.cpp without the time and the level before each of them."
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(EXIT_TIMEOUT)
        self._log.seek(0)
        lines = self._log.read().decode(errors="replace").splitlines()
        return [line.partition(" E ")[2].strip() or line.strip() for line in lines if line.strip()]


def _start_host() -> tuple[subprocess.Popen[str], IO[bytes]]:
    log = tempfile.TemporaryFile()  # noqa: SIM115 (ModelProcess closes it)
    # Ctrl-C must not reach the host: this process handles it.
    session: dict[str, Any] = {"start_new_session": True}
    if sys.platform == "win32":
        session = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    pipe = subprocess.PIPE
    process = subprocess.Popen(
        [sys.executable, str(HOST)], stdin=pipe, stdout=pipe, stderr=log, text=True, **session
    )
    return process, log


def _send(process: subprocess.Popen[str], request: Mapping[str, Any]) -> None:
    assert process.stdin is not None
    with suppress(BrokenPipeError):  # the host has ended; its log says why
        process.stdin.write(json.dumps(request) + "\n")
        process.stdin.flush()


def _receive(process: subprocess.Popen[str]) -> Mapping[str, Any]:
    "Return the host's response. It is empty if the host ended before a complete line."
    assert process.stdout is not None
    line = process.stdout.readline()
    response: Mapping[str, Any] = json.loads(line) if line.endswith("\n") else {}
    return response


def _load_error(
    options: LoadOptions, response: Mapping[str, Any], required: int, available: int, log: list[str]
) -> GptOssError:
    if "free_gpu_memory" in response:
        gpu = response["free_gpu_memory"]
        return memory.insufficient_memory(options.path, options.context, required, available, gpu)
    reason = next((line for line in log if "error loading model" in line or "Error:" in line), "")
    reason = reason.rpartition("error loading model: ")[2] or (log[-1] if log else "it does not say why")
    return EngineError(
        f"llama.cpp cannot load {options.path}: {reason.rstrip('.')[:300]}.",
        remedy="Use another file, or update xllamacpp: `llm install -U xllamacpp`.",
    )
