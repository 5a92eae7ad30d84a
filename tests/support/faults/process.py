"""The server and the shell as processes, each with a folder of its own.

with serving(folder, ollama.url) as server:
    server.client.chat("Hi")
    server.kill()
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import IO

from support.faults.client import Client
from support.faults.log import Log
from support.faults.row import PATIENCE, Unexpected, wait_for

ROOT = Path(__file__).parents[3]
LLM = [sys.executable, "-m", "llm"]
SERVE = [*LLM, "gpt-oss", "serve"]
MODULE = [sys.executable, "-m", "proxy"]
# Variables with these beginnings are the caller's, and would change what a row does.
FOREIGN = re.compile(r"OLLAMA_|LLM_|LOCAL_LLM_|VLLM_|API_|[a-zA-Z]+_proxy$", re.IGNORECASE)
PORT = re.compile(r"^Serving .* at http://[^ ]*:(\d+)$", re.MULTILINE)

# The server, which writes the number of its tasks to a file when it gets SIGUSR1.
COUNTING = """
import asyncio, os, signal, sys
from proxy.cli.serve import command
def write_tasks(*_):
    with open("tasks.txt.new", "w") as file:
        file.write(str(len(asyncio.all_tasks())))
    os.rename("tasks.txt.new", "tasks.txt")
signal.signal(signal.SIGUSR1, write_tasks)
command(prog_name="llm gpt-oss serve")
"""
COUNTED = [sys.executable, "-c", COUNTING]

# Starts a command with limits. A process of root gets none of root's rights to ignore the modes of files.
LIMITED = """
import ctypes, os, resource, sys
name, value, *command = sys.argv[1:]
if name == "capabilities":
    for capability in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
        ctypes.CDLL(None).prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP. It fails unless root runs it.
else:
    resource.setrlimit(getattr(resource, name), (int(value), int(value)))
os.execvp(command[0], command)
"""


def limited(name: str, value: int = 0) -> list[str]:
    "Return the beginning of a command that runs under a limit: `capabilities`, or one of setrlimit's names."
    return [sys.executable, "-c", LIMITED, name, str(value)]


def environment(folder: Path, ollama_url: str, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not FOREIGN.match(name)}
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    return {
        **kept,
        "PYTHONPATH": path,
        "LLM_USER_PATH": str(folder),
        "OLLAMA_HOST": ollama_url,
        **(extra or {}),
    }


@dataclass(slots=True)
class Server:
    "A running server. `folder` is llm's user directory, `output` what it prints."

    process: subprocess.Popen[bytes]
    folder: Path
    output_file: Path

    @property
    def output(self) -> str:
        return self.output_file.read_text(errors="replace")

    @property
    def port(self) -> int:
        def printed() -> int:
            if match := PORT.search(self.output):
                return int(match[1])
            if self.process.poll() is not None:
                raise Unexpected(f"the server ended with {self.process.returncode}: {self.output[-600:]}")
            return 0

        return int(wait_for("the server's address", printed))

    @property
    def client(self) -> Client:
        return Client(self.port)

    def wait_until_ready(self) -> None:
        "With several processes, the address is printed before one of them listens."

        def answers() -> bool:
            with suppress(OSError):
                return self.client.get("/health").status < 500
            return False

        wait_for("an answer of /health", answers)

    @property
    def log(self) -> Log:
        return Log(self.folder / "logs.db")

    @property
    def spool(self) -> Path:
        return self.folder / "logs.db-unlogged"

    def spooled(self) -> list[str]:
        "The names of the files in the spool, without the locks of the processes that use it."
        return sorted(path.name for path in self.spool.glob("*") if path.suffix != ".lock")

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def wait(self) -> int:
        "Return the exit status."
        return self.process.wait(PATIENCE)

    def stop(self) -> int:
        self.send(signal.SIGTERM)
        return self.wait()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def megabytes(self, field: str = "VmRSS") -> float:
        "Memory in MB: what it uses now (VmRSS), or used at most (VmHWM)."
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition(f"{field}:")[2].split()[0]) / 1024

    def tasks(self) -> int:
        "How many tasks the server has, which runs as COUNTED."
        path = self.folder / "tasks.txt"
        path.unlink(missing_ok=True)
        self.send(signal.SIGUSR1)
        wait_for("the number of tasks", path.exists)
        return int(path.read_text())

    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def check_output(self) -> None:
        "Raise Unexpected for a traceback."
        if "Traceback" in self.output:
            raise Unexpected(f"the server printed a traceback: {self.output[-1500:]}")


@contextmanager
def serving(
    folder: Path,
    ollama_url: str,
    *options: str,
    command: Sequence[str] = SERVE,
    prefix: Sequence[str] = (),
    variables: Mapping[str, str] | None = None,
) -> Iterator[Server]:
    "Run a server until the block ends. It must not have printed a traceback."
    folder.mkdir(parents=True, exist_ok=True)
    output = folder / f"output-{len(list(folder.glob('output-*')))}.txt"
    with output.open("wb") as file:
        process = subprocess.Popen(
            [*prefix, *command, "--port", "0", *options],
            env=environment(folder, ollama_url, variables),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            start_new_session=True,
        )
    server = Server(process, folder, output)
    with ended(process):
        yield server
        server.check_output()


# The processes that run, and whether the time for all rows is up.
RUNNING: set[subprocess.Popen[bytes]] = set()
TIME_IS_UP = Event()


def end_all() -> None:
    "End all processes, so that rows that wait for one of them fail. No row can start another one."
    TIME_IS_UP.set()
    for process in [*RUNNING]:
        end(process)


@contextmanager
def ended(process: subprocess.Popen[bytes]) -> Iterator[None]:
    "End a process with the block. Raises Unexpected if the time is up."
    RUNNING.add(process)
    try:
        if TIME_IS_UP.is_set():
            raise Unexpected("the time for all rows is up")
        yield
    finally:
        end(process)
        RUNNING.discard(process)


def end(process: subprocess.Popen[bytes]) -> None:
    "Kill a process with its children, of which it is the leader of the group."
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@dataclass(frozen=True, slots=True)
class Ran:
    status: int
    stdout: str
    stderr: str


@contextmanager
def running(
    folder: Path,
    ollama_url: str,
    *arguments: str | bytes,
    command: Sequence[str] = LLM,
    prefix: Sequence[str] = (),
    stdout: IO[bytes] | int = subprocess.PIPE,
    variables: Mapping[str, str] | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    "Run `llm ARGUMENTS` until the block ends."
    folder.mkdir(parents=True, exist_ok=True)
    process = subprocess.Popen(
        [*prefix, *command, *arguments],
        env=environment(folder, ollama_url, variables),
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        with ended(process):
            yield process
    finally:
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()


def run(folder: Path, ollama_url: str, *arguments: str | bytes, **options: object) -> Ran:
    "Run `llm ARGUMENTS` to its end."
    with running(folder, ollama_url, *arguments, **options) as process:  # type: ignore[arg-type]
        stdout, stderr = process.communicate(timeout=PATIENCE)
    return Ran(process.returncode, stdout.decode(errors="replace"), stderr.decode(errors="replace"))
