"""The processes of `llm gpt-oss serve --workers` and `--reload`."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Sequence
from functools import cached_property

from fastapi import FastAPI
from uvicorn import Config
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess
from uvicorn.supervisors.multiprocess import Process

from ..app import create_app
from ..http.server import QuietServer
from ..http.server_signals import ending_at_signals, is_ignored

# Seconds between two looks for signals while the main process waits for its workers.
POLL_SECONDS = 0.1


class Worker(Process):
    "One worker process. `signals` is the queue of signals that the main process has to handle."

    def __init__(self, config: Config, sockets: list[socket.socket], signals: Sequence[int]) -> None:
        super().__init__(config, sockets)
        self._signals = signals

    def ping(self, timeout: float = 5) -> bool:
        """Whether the process answers within `timeout` seconds.

        When a signal arrives meanwhile, this returns True at once, so that a server with busy workers stops
        without waiting for each of them.
        """
        deadline = time.monotonic() + timeout
        try:
            self.parent_conn.send(b"ping")
            while not self.parent_conn.poll(POLL_SECONDS):
                if self._signals:
                    return True
                if time.monotonic() > deadline:
                    return False
            self.parent_conn.recv()
        except (OSError, EOFError):
            return False
        return True

    @cached_property
    def server(self) -> QuietServer:
        return QuietServer(self.config)

    def target(self, sockets: list[socket.socket] | None = None) -> None:
        with ending_at_signals():
            super().target(sockets)


class Workers(Multiprocess):
    """uvicorn's main process, with `Worker`s. SIGHUP stops the workers instead of restarting them.

    A second signal is passed to all workers. `failed` is whether one of them could not start, or lost turns.
    """

    failed = False

    def __init__(self, config: Config, sockets: list[socket.socket]) -> None:
        ignores_hangup = is_ignored()
        super().__init__(config, sockets)
        if ignores_hangup:
            signal.signal(signal.SIGHUP, signal.SIG_IGN)

    def init_processes(self) -> None:
        self.processes = [self._start() for _ in range(self.processes_num)]

    def keep_subprocess_alive(self) -> None:
        for index, process in enumerate(self.processes):
            if self.should_exit.is_set() or self.signal_queue:
                return
            if process.is_alive(self.config.timeout_worker_healthcheck):
                continue
            process.kill()
            self._join(process)
            if process.exitcode == STARTUP_FAILURE:
                self.should_exit.set()
            else:
                self.processes[index] = self._start()

    def join_all(self) -> None:
        self.signal_queue.clear()
        for process in self.processes:
            self._join(process)

    def handle_hup(self) -> None:
        self.handle_term()

    def handle_ttin(self) -> None:
        self.processes_num += 1
        self.processes.append(self._start())

    def _start(self) -> Worker:
        worker = Worker(self.config, self.sockets, self.signal_queue)
        worker.start()
        return worker

    def _join(self, process: Process) -> None:
        while process.exitcode is None:
            process.process.join(POLL_SECONDS)
            if self.signal_queue:
                self.signal_queue.clear()
                self._interrupt_all()
        self.failed |= process.exitcode > 0

    def _interrupt_all(self) -> None:
        for process in self.processes:
            if process.exitcode is None and process.pid:
                os.kill(process.pid, signal.SIGINT)


def worker_app() -> FastAPI:
    "Return the application of one worker. From now on it handles SIGHUP like SIGTERM."
    if not is_ignored():
        signal.signal(signal.SIGHUP, signal.getsignal(signal.SIGTERM))
    return create_app()
