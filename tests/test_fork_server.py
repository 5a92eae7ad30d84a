"The forks of `tests/support/fork_server.py` are what Python processes are."

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from subprocess import DEVNULL, PIPE, TimeoutExpired
from typing import Any

import pytest
from support.fork_server import ForkServer, Process, Start, start_python

STATE = """
import multiprocessing, os, signal, sys, threading
print(sys.argv, sys.path, os.getcwd(), sorted(os.environ.items()), os.umask(0))
print(__name__, sys.modules["__main__"].sys is sys, threading.active_count())
print(*map(signal.getsignal, signal.valid_signals()), signal.pthread_sigmask(signal.SIG_BLOCK, []))
print(multiprocessing.parent_process(), multiprocessing.active_children())
for stream in (sys.stdin, sys.stdout, sys.stderr):
    print(stream.encoding, stream.errors, stream.mode, stream.line_buffering, stream.seekable())
"""
ENDS = {
    "at its end": "print(1)",
    "with a status": "import sys; sys.exit(3)",
    "with a sentence": "import sys; sys.exit('No.')",
    "with an error": "import sys; sys.excepthook = lambda *error: print(error[1]); 1 / 0",
    "with threads": "import threading, time; threading.Timer(0.01, print, [1]).start(); print(0)",
    "with an exit handler": "import atexit; atexit.register(print, 1)",
    "of SIGTERM": "import os; os.kill(os.getpid(), 15)",
    "of Ctrl-C": "import os, sys; sys.excepthook = lambda *_: None; os.kill(os.getpid(), 2); input()",
}


@pytest.fixture(scope="module")
def server() -> Iterator[ForkServer]:
    server = ForkServer("json")
    yield server
    server.close()


def run(start: Start, *arguments: str, **variables: str) -> tuple[Any, ...]:
    environ = {**os.environ, **variables}
    with start(*arguments, env=environ, stdin=DEVNULL, stdout=PIPE, stderr=PIPE, text=True) as process:
        printed = process.communicate(timeout=60)
        return (process.returncode, *printed)


def test_it_begins_as_python_does(
    server: ForkServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    case = ("-c", STATE, "-x", "caf\udce9")
    variables = {"PYTHONPATH": f"{tmp_path}:/nowhere", "OLLAMA_HOST": "127.0.0.1:1"}
    expected = run(start_python, *case, **variables)
    assert (expected[0], expected[2]) == (0, "")
    assert run(server.start, *case, **variables) == expected


def test_a_module_begins_as_python_does(
    server: ForkServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "state.py").write_text(STATE)
    assert run(server.start, "-m", "state", "-x") == run(start_python, "-m", "state", "-x")


@pytest.mark.parametrize("code", ENDS.values(), ids=ENDS)
def test_it_ends_as_python_does(server: ForkServer, code: str) -> None:
    assert run(server.start, "-c", code) == run(start_python, "-c", code)


def test_the_modules_are_imported(server: ForkServer) -> None:
    assert run(server.start, "-c", "import sys; print('json' in sys.modules)") == (0, "True\n", "")


def test_variables_that_imports_have_read_cannot_change(server: ForkServer) -> None:
    with pytest.raises(AssertionError, match="start_python"):
        run(server.start, "-c", "", LLM_LOAD_PLUGINS="")


def sleeping(server: ForkServer) -> Process:
    return server.start("-c", "import time; time.sleep(60)", env=os.environ)


def test_a_process_that_runs(server: ForkServer) -> None:
    with sleeping(server) as process:
        assert process.poll() is None
        with pytest.raises(TimeoutExpired):
            process.wait(0.01)
        process.send_signal(signal.SIGUSR1)
        assert process.wait(60) == -signal.SIGUSR1
        process.kill()
        assert process.poll() == -signal.SIGUSR1


def test_a_process_that_prints_for_too_long(server: ForkServer) -> None:
    process = server.start("-c", "while True: print(1)", env=os.environ, stdout=PIPE, stderr=PIPE)
    with pytest.raises(TimeoutExpired):
        process.communicate(0.1)
    assert process.wait() == -signal.SIGKILL


def test_what_is_typed_reaches_it(server: ForkServer, tmp_path: Path) -> None:
    with (tmp_path / "output").open("w+") as output:
        with server.start(
            "-c", "print(input())", env=os.environ, stdin=PIPE, stdout=output, text=True
        ) as process:
            assert process.stdin
            process.stdin.write("Hi\n")
        assert (tmp_path / "output").read_text() == "Hi\n"


def test_it_ends_with_its_server() -> None:
    server = ForkServer()
    with sleeping(server) as first, sleeping(server) as second:
        server.close()
        assert first.wait(60) == second.wait(60) == -signal.SIGKILL
