"""The signals that stop a server, and SIGHUP, which a terminal sends to its programs when it is closed."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any


def is_ignored() -> bool:
    "Return whether the signal has no effect, as under `nohup`, or does not exist on this system."
    hangup = getattr(signal, "SIGHUP", None)
    return hangup is None or signal.getsignal(hangup) is signal.SIG_IGN


@contextmanager
def handling_hangup(handler: Any) -> Iterator[None]:
    "Let `handler` handle the signal, unless it is ignored."
    if is_ignored():
        yield
        return
    before = signal.signal(signal.SIGHUP, handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, before)


class Stopped(BaseException):
    """A signal arrived while no server handled it.

    It is not a KeyboardInterrupt. If that is raised inside `exec`, as dataclasses use at import, Python may
    exit with the status of the signal, even if the exception was handled.
    """


@contextmanager
def ending_at_signals() -> Iterator[None]:
    """End without an error at SIGINT, SIGTERM or SIGHUP.

    A server handles them itself while it runs. Afterwards uvicorn raises the signal that stopped it again.
    """
    before = {each: signal.signal(each, _stop) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        with suppress(Stopped), handling_hangup(_stop):
            yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def _stop(*_: Any) -> None:
    raise Stopped
