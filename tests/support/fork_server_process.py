"""The process that `fork_server.py` starts: it imports the modules that its arguments name, and forks.

Its standard input is a socket. Each request brings four descriptors: a Connection, and the standard streams
of the child. The Connection brings the child's arguments, variables and folder. It takes the child's process
id, and its exit status when it has ended.

A child leaves `next_child()` and continues at the end of this file. So it ends as an interpreter does: it
waits for threads, calls what is registered for its exit, and dies of KeyboardInterrupt.
"""

from __future__ import annotations

import os
import runpy
import signal
import socket
import sys
from contextlib import suppress
from importlib import import_module
from multiprocessing.connection import Connection, wait
from types import ModuleType
from typing import NamedTuple


class Child(NamedTuple):
    arguments: tuple[str, ...]
    environment: dict[str, str]
    folder: str
    streams: list[int]


def next_child(control: socket.socket) -> Child:
    "Fork for each request. Returns only in the children. Ends this process when nobody can request any more."
    running: dict[int, tuple[int, Connection]] = {}
    while True:
        for ready in wait([control, *running]):
            if isinstance(ready, int):
                report(*running.pop(ready))
                os.close(ready)
                continue
            _, descriptors, _, _ = socket.recv_fds(control, 1, 4)
            if not descriptors:
                for pid, answers in running.values():
                    os.kill(pid, signal.SIGKILL)
                    report(pid, answers)
                sys.exit()
            answers = Connection(descriptors[0])
            arguments, environment, folder = answers.recv()
            streams = descriptors[1:]
            ended, alive = os.pipe()  # only the child keeps `alive`, which is closed when it ends
            if not (pid := os.fork()):
                control.close()
                for descriptor in (ended, *running):
                    os.close(descriptor)
                for connection in (answers, *(connection for _, connection in running.values())):
                    connection.close()
                return Child(arguments, environment, folder, streams)
            for descriptor in (alive, *streams):
                os.close(descriptor)
            running[ended] = pid, answers
            answers.send(pid)


def report(pid: int, answers: Connection) -> None:
    _, status = os.waitpid(pid, 0)
    with answers, suppress(OSError):  # the test may have ended
        answers.send(os.waitstatus_to_exitcode(status))


def become(child: Child) -> None:
    "Make this process what Python is before it runs what its arguments name."
    for number, descriptor in enumerate(child.streams):
        os.dup2(descriptor, number)
        os.close(descriptor)
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        old = getattr(sys, name)  # it has seen whether the old file can seek
        stream = open(number, old.mode, encoding=old.encoding, errors=old.errors, closefd=False)  # noqa: SIM115
        stream.reconfigure(line_buffering=old.line_buffering)
        setattr(sys, name, stream)
    os.chdir(child.folder)
    installed = [path for path in sys.path[1:] if path not in python_path()]
    os.environ.clear()
    os.environ.update(child.environment)
    kind, _, *arguments = child.arguments
    sys.argv = [kind, *arguments]
    sys.path = [child.folder if kind == "-m" else "", *python_path(), *installed]


def python_path() -> list[str]:
    return [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]


for name in sys.argv[1:]:
    import_module(name)
child = next_child(socket.socket(fileno=os.dup(0)))
become(child)
if child.arguments[0] == "-m":
    runpy.run_module(child.arguments[1], run_name="__main__", alter_sys=True)
else:
    sys.modules["__main__"] = main = ModuleType("__main__")
    exec(compile(child.arguments[1], "<string>", "exec"), main.__dict__)  # noqa: S102
