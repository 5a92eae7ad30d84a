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


@contextmanager
def interrupting_signals() -> Iterator[None]:
    """Let SIGTERM and SIGHUP raise KeyboardInterrupt, as SIGINT does. End at any of them without an error.

    A server handles them itself while it runs. Afterwards uvicorn raises the signal that stopped it again.
    """
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with suppress(KeyboardInterrupt), handling_hangup(signal.default_int_handler):
            yield
    finally:
        signal.signal(signal.SIGTERM, before)
