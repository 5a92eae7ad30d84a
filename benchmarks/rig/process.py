"""Run servers as processes, and read their processor time and memory from /proc."""

from __future__ import annotations

import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

START_TIMEOUT = 60.0
TICK = os.sysconf("SC_CLK_TCK")


class Process:
    "A running server on 127.0.0.1. `seconds` is the time that it took to start."

    def __init__(self, pid: int, port: int, seconds: float) -> None:
        self.port = port
        self.seconds = seconds
        self._folder = Path("/proc", str(pid))

    def cpu(self) -> float:
        "Return the processor time in seconds, user and system, of all threads."
        fields = (self._folder / "stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICK

    def memory(self) -> float:
        "Return the peak memory in MiB."
        status = (self._folder / "status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) / 1024

    def files(self) -> int:
        "Return how many files and connections are open."
        return len(os.listdir(self._folder / "fd"))


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


@contextmanager
def running(
    command: Sequence[str], port: int, path: str, environ: Mapping[str, str] | None = None
) -> Iterator[Process]:
    "Run a server. It has started when it responds to a GET of `path`. Raises RuntimeError if it ends before."
    with tempfile.TemporaryFile("w+") as output:
        started = time.perf_counter()
        # `python -m` imports from the current folder first, which may be a different checkout.
        folder = tempfile.gettempdir()
        process = subprocess.Popen(command, env=environ, cwd=folder, stdout=output, stderr=output)
        try:
            while not _responds(port, path):
                if process.poll() is not None or time.perf_counter() - started > START_TIMEOUT:
                    output.seek(0)
                    raise RuntimeError(f"{' '.join(command)} did not start:\n{output.read()}")
                time.sleep(0.002)
            yield Process(process.pid, port, time.perf_counter() - started)
        finally:
            process.terminate()
            process.wait()


def _responds(port: int, path: str) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=START_TIMEOUT) as connection:
            connection.sendall(f"GET {path} HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n".encode())
            return connection.recv(64).startswith(b"HTTP/1.")
    except OSError:
        return False
