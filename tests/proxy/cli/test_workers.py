from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest
import uvicorn

from proxy.cli.workers import Worker, Workers, worker_app
from proxy.http.server_signals import handling_hangup


@pytest.fixture(autouse=True)
def restored_handlers() -> Iterator[None]:
    handlers = {each: signal.getsignal(each) for each in (*signal.valid_signals(),)}
    yield
    for each, handler in handlers.items():
        if signal.getsignal(each) is not handler:
            signal.signal(each, handler)


def test_a_hangup_stops_all_processes() -> None:
    workers = Workers(uvicorn.Config("app"), [])
    signal.raise_signal(signal.SIGHUP)
    workers.handle_signals()
    assert workers.should_exit.is_set()


def test_a_hangup_stops_a_process() -> None:
    stopped: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: stopped.append(number))
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    worker_app()
    signal.raise_signal(signal.SIGHUP)
    assert stopped == [signal.SIGHUP]


def test_a_hangup_that_is_ignored() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    Workers(uvicorn.Config("app"), [])
    worker_app()
    with handling_hangup(None):
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


def test_the_handler_of_a_hangup_is_restored() -> None:
    def handler(*_: Any) -> None:
        raise AssertionError("nobody hangs up")

    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    with handling_hangup(handler):
        assert signal.getsignal(signal.SIGHUP) is handler
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_DFL


@pytest.fixture
def worker() -> Iterator[Worker]:
    "A process that was not started, so it answers only what a test puts into its pipe."
    worker = Worker(uvicorn.Config("app"), [], [])
    yield worker
    worker.parent_conn.close()
    worker.child_conn.close()


def test_a_signal_does_not_wait_for_a_busy_process(worker: Worker) -> None:
    worker._signals = [signal.SIGTERM]
    started = time.monotonic()
    assert worker.ping(60)
    assert time.monotonic() - started < 30


def test_a_process_that_answers(worker: Worker) -> None:
    worker.child_conn.send(True)
    assert worker.ping(60)
    assert worker.child_conn.recv() == b"ping"


def test_a_process_that_hangs(worker: Worker) -> None:
    assert not worker.ping(0)


def test_a_process_that_ended(worker: Worker) -> None:
    worker.child_conn.close()
    assert not worker.ping(60)


def test_processes_are_not_replaced_before_a_signal_is_handled(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    workers = Workers(uvicorn.Config("app"), [])
    monkeypatch.setattr(workers, "processes", [worker], raising=False)
    signal.raise_signal(signal.SIGTERM)
    workers.keep_subprocess_alive()
    assert workers.processes == [worker]
