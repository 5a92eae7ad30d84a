from __future__ import annotations

import signal
from collections.abc import Iterator
from typing import Any

import pytest
import uvicorn

from proxy.cli.workers import Workers, worker_app
from proxy.http.hangup import handling_hangup


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
