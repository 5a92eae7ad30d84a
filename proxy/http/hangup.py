"""SIGHUP, which a terminal sends to its programs when it is closed."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
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
