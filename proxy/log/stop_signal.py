"""Waits for a signal that asks the process to stop."""

from __future__ import annotations

import asyncio
import multiprocessing
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
# A worker gets SIGTERM from its parent, soon after the Ctrl-C that reaches all processes of a terminal.
WORKERS_NAMES = ("SIGINT",)


@contextmanager
def next_signal() -> Iterator[asyncio.Event]:
    """Yield an event that the next signal sets, instead of what the signal would do otherwise.

    Only the main thread gets signals. In others the event is set already, so that nobody waits for ever.
    """
    event = asyncio.Event()
    if threading.current_thread() is not threading.main_thread():
        event.set()
        yield event
        return
    loop = asyncio.get_running_loop()
    names = WORKERS_NAMES if multiprocessing.parent_process() else NAMES
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    earlier = {
        number: signal.signal(number, lambda *_: loop.call_soon_threadsafe(event.set)) for number in numbers
    }
    try:
        yield event
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)
