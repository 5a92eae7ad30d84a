"""Python processes that have their imports behind them: forks of a process that has done nothing but import.

with SERVER.start("-m", "proxy", "--port", "0", env=environ, stderr=PIPE, text=True) as process:
    process.send_signal(signal.SIGTERM)
    assert process.wait() == 0

A process takes about a second to import the server or LLM's commands, and most tests of processes are about
what comes then. The fork continues as Python does: it has its own arguments, variables, folder and streams,
runs the module or the code, and ends as an interpreter does. Tests of the start itself use `start_python`,
and so do tests with other values of variables that are read during imports.

`fork_server_process.py` is the process that forks. It ends with the one that started it, and kills its forks.
"""

from __future__ import annotations

import atexit
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from subprocess import DEVNULL, PIPE, TimeoutExpired
from threading import Lock
from typing import IO, Any

PROGRAM = Path(__file__).with_name("fork_server_process.py")
# What Python and packages read while they are imported. Forks cannot have other values than the process has.
READ_BY_IMPORTS = re.compile(
    r"PYTHON(?!PATH$)|LLM_LOAD_PLUGINS$|PROMETHEUS_|PYDANTIC_|OPENAI_|OTEL_|DATASETTE_|LANG|LC_",
    re.IGNORECASE,
)

Stream = IO[Any] | int | None


class Process:
    "As much of `subprocess.Popen` as tests need."

    def __init__(self, pid: int, answers: Connection, pipes: list[IO[Any] | None]) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self.stdin, self.stdout, self.stderr = pipes
        self._answers = answers
        self._lock = Lock()

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *_: object) -> None:
        for pipe in (self.stdin, self.stdout, self.stderr):
            if pipe is not None:
                pipe.close()
        self.wait()

    def poll(self) -> int | None:
        with self._lock:
            if self.returncode is None and self._answers.poll():
                self.returncode = self._answers.recv()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        "Return the exit status. Raises TimeoutExpired."
        self._answers.poll(timeout)
        status = self.poll()
        if status is None:
            raise TimeoutExpired(str(self.pid), timeout or 0)
        return status

    def communicate(self, timeout: float | None = None) -> tuple[Any, Any]:
        "Return what the process prints until it ends. Kills it and raises TimeoutExpired after `timeout`."
        with ThreadPoolExecutor(2) as readers:
            printed = [readers.submit(_read, pipe) for pipe in (self.stdout, self.stderr)]
            if self.stdin is not None:
                self.stdin.close()
            try:
                self.wait(timeout)
            except TimeoutExpired:
                self.kill()
                raise
        return printed[0].result(), printed[1].result()

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def _read(pipe: IO[Any] | None) -> Any:
    if pipe is None:
        return None
    with pipe:
        return pipe.read()


class ForkServer:
    """Starts processes that have imported `modules`. The process that forks them starts with the first."""

    def __init__(self, *modules: str) -> None:
        self._modules = modules
        self._lock = Lock()
        self._control: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def start(
        self,
        *arguments: str,
        env: Mapping[str, str],
        stdin: Stream = None,
        stdout: Stream = None,
        stderr: Stream = None,
        text: bool = False,
    ) -> Process:
        """Run `python ARGUMENTS`, which begin with `-m MODULE` or `-c CODE`, in this process' folder.

        The other parameters are those of `subprocess.Popen`.
        """
        assert _read_by_imports(env) == _read_by_imports(os.environ), "start the process with start_python"
        answers, theirs = Pipe()
        with theirs, ExitStack() as childs_ends:
            given = enumerate((stdin, stdout, stderr))
            streams = [_open_stream(stream, number, text, childs_ends) for number, stream in given]
            descriptors = [theirs.fileno(), *(descriptor for descriptor, _ in streams)]
            with self._lock:
                self._control = self._control or self._begin()
                socket.send_fds(self._control, [b"."], descriptors)
        answers.send((arguments, {**env}, str(Path.cwd())))
        return Process(answers.recv(), answers, [pipe for _, pipe in streams])

    def _begin(self) -> socket.socket:
        "Start the process. Its code is an argument, so that the folder of the code is not in its sys.path."
        control, theirs = socket.socketpair()
        command = [sys.executable, "-c", PROGRAM.read_text(encoding="utf-8"), *self._modules]
        with theirs:
            self._process = subprocess.Popen(
                command, stdin=theirs.fileno(), stdout=DEVNULL, start_new_session=True
            )
        atexit.register(self.close)
        return control

    def close(self) -> None:
        "Kill the forks that run, and end the process that forks."
        with self._lock:
            if self._control and self._process:
                self._control.close()
                self._process.wait()


def start_python(*arguments: str, **options: Any) -> subprocess.Popen[str]:
    "Start a process that imports everything itself. The parameters are those of `ForkServer.start`."
    return subprocess.Popen([sys.executable, *arguments], **options)


Start = Callable[..., Process | subprocess.Popen[str]]


def _read_by_imports(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if READ_BY_IMPORTS.match(name)}


def _open_stream(
    given: Stream, number: int, text: bool, childs_ends: ExitStack
) -> tuple[int, IO[Any] | None]:
    "Return the descriptor of a child's stream, and this process' end if it is a pipe."
    if given is None:
        return number, None
    if given == DEVNULL:
        descriptor = os.open(os.devnull, os.O_RDWR)
        childs_ends.callback(os.close, descriptor)
        return descriptor, None
    if given == PIPE:
        reads, writes = os.pipe()
        theirs, ours, mode = (reads, writes, "w") if number == 0 else (writes, reads, "r")
        childs_ends.callback(os.close, theirs)
        return theirs, open(ours, mode if text else f"{mode}b")
    return (given if isinstance(given, int) else given.fileno()), None


SERVER = ForkServer(
    "proxy.cli.serve", "proxy.app", "uvicorn", "proxy.http.server", "proxy.http.websocket_protocol"
)
SHELL = ForkServer(
    "llm.cli", "llm_gpt_oss.log.command", "llm_gpt_oss.turn.run", "llm_gpt_oss.engines.ollama.server"
)
