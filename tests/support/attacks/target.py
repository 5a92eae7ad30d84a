"""The server in a process of its own, as a user starts it, and a probe that asks whether it still answers.

with BadEngine() as engine, Target.started(folder, engine.url) as target, Probe(target) as probe:
    ...
    probe.longest(since)
"""

from __future__ import annotations

import os
import re
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from threading import Event, Thread
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[3]
START_SECONDS = 60
PROBE_SECONDS = 0.05
# How long a probe, or an attack, waits before it counts as one without an answer.
PATIENCE = 120


class Target:
    "A running server with a log of its own in `folder`."

    def __init__(self, process: subprocess.Popen[str], port: int, folder: Path) -> None:
        self.process = process
        self.port = port
        self.folder = folder

    @classmethod
    @contextmanager
    def started(cls, folder: Path, engine: str) -> Iterator[Target]:
        folder.mkdir(exist_ok=True)
        environment = {
            **{
                name: value
                for name, value in os.environ.items()
                if not name.startswith(("LLM_", "OLLAMA_", "API_"))
            },
            "LLM_USER_PATH": str(folder),
            "LOCAL_LLM_MODEL": "gpt-oss:20b",
            "OLLAMA_HOST": engine,
            "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path]),
        }
        with (folder / "server.txt").open("a") as errors:
            at = errors.tell()
            process = subprocess.Popen(
                [sys.executable, "-m", "proxy", "--port", "0"], env=environment, stderr=errors, text=True
            )
            try:
                yield cls(process, _wait_for_port(process, folder / "server.txt", at), folder)
            finally:
                process.kill()
                process.wait()

    @property
    def database(self) -> Path:
        return self.folder / "logs.db"

    def connection(self, timeout: float = PATIENCE) -> HTTPConnection:
        return HTTPConnection("127.0.0.1", self.port, timeout=timeout)

    def cpu_seconds(self) -> float | None:
        "How long the server has computed. None where the system does not tell."
        try:
            fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return None
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stopwatch(self) -> Stopwatch:
        return Stopwatch(self.cpu_seconds)

    def turns(self) -> int:
        "How many turns the log has."
        with closing(sqlite3.connect(self.database, timeout=PATIENCE)) as log:
            return int(log.execute("select count(*) from gpt_oss_requests").fetchone()[0])

    def seconds_to_lock(self) -> float:
        "How long another program, such as `llm`, waits for the log's write lock."
        began = time.monotonic()
        with closing(sqlite3.connect(self.database, timeout=PATIENCE, isolation_level=None)) as log:
            log.execute("begin immediate")
            log.execute("rollback")
        return time.monotonic() - began


def _wait_for_port(process: subprocess.Popen[str], output: Path, at: int) -> int:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if match := re.search(r" at http://127\.0\.0\.1:(\d+)\n", output.read_text()[at:]):
            port = int(match[1])
            while time.monotonic() < deadline:
                with suppress(OSError), closing(HTTPConnection("127.0.0.1", port, timeout=1)) as client:
                    client.request("GET", "/v1/models")
                    client.getresponse().read()
                    return port
        time.sleep(0.02)
    raise RuntimeError(f"The server did not start:\n{output.read_text()[at:]}")


class Delay(NamedTuple):
    """How long an answer took, and how long the server computed meanwhile, if the system tells that."""

    began: float
    seconds: float
    cpu: float | None

    @property
    def server_seconds(self) -> float:
        """The part of the time that is the server's fault.

        On a machine that has other things to do, an answer may be late though the server did little. But a
        server can also wait for a lock, so a tenth of the time counts in any case.
        """
        return self.seconds if self.cpu is None else max(min(self.seconds, self.cpu), self.seconds / 10)


class Stopwatch:
    "Measures a delay that begins now."

    def __init__(self, cpu_seconds: Callable[[], float | None]) -> None:
        self._cpu_seconds = cpu_seconds
        self._began, self._cpu = time.monotonic(), cpu_seconds()

    def delay(self) -> Delay:
        cpu = self._cpu_seconds()
        computed = None if cpu is None or self._cpu is None else cpu - self._cpu
        return Delay(self._began, time.monotonic() - self._began, computed)


class Probe:
    "Asks `/health` every 50 ms, on one connection, until the `with` block ends."

    def __init__(self, target: Target) -> None:
        self._target = target
        self._stop = Event()
        self._thread = Thread(target=self._run, daemon=True)
        self.delays: list[Delay] = []

    def __enter__(self) -> Probe:
        self._thread.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._stop.set()
        self._thread.join()

    def longest(self, since: float) -> Delay:
        "The longest of the answers that arrived since then. Waits for one that begins now."
        now = time.monotonic()
        while not self.delays or self.delays[-1].began < now:
            if not self._thread.is_alive():
                raise RuntimeError("The server does not answer /health any more.")
            time.sleep(0.005)
        return max(
            (delay for delay in self.delays if delay.began + delay.seconds >= since),
            key=lambda delay: delay.server_seconds,
        )

    def _run(self) -> None:
        with closing(self._target.connection()) as client:
            while not self._stop.is_set():
                watch = self._target.stopwatch()
                try:
                    client.request("GET", "/health")
                    client.getresponse().read()
                except (OSError, HTTPException):
                    if self._target.process.poll() is not None:
                        return
                    client.close()
                delay = watch.delay()
                self.delays.append(delay)
                self._stop.wait(max(0.0, PROBE_SECONDS - delay.seconds))
