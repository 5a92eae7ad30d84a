"Turns signals that would end the program at once into an exception, so that it can still log."

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

# Service managers send SIGTERM, and a terminal that is closed sends SIGHUP. Windows has no SIGHUP.
NAMES = ("SIGTERM", "SIGHUP")


class ExitSignal(SystemExit):
    "A signal ends the program. The exit code is the one that shells use for that."

    def __init__(self, name: str, number: int) -> None:
        super().__init__(128 + number)
        self.name = name

    def __str__(self) -> str:
        return f"interrupted by {self.name}"


@contextmanager
def exit_on_signals() -> Iterator[None]:
    """Raise ExitSignal for the first signal, and ignore further ones.

    Signals that are ignored or handled already, such as SIGHUP under nohup, are left alone.
    """
    numbers = [getattr(signal, name) for name in NAMES if hasattr(signal, name)]
    if threading.current_thread() is not threading.main_thread():
        numbers = []  # only the main thread may set handlers
    numbers = [number for number in numbers if signal.getsignal(number) is signal.SIG_DFL]

    def exit(number: int, frame: FrameType | None) -> None:
        for each in numbers:
            signal.signal(each, signal.SIG_IGN)
        raise ExitSignal(signal.Signals(number).name, number)

    for number in numbers:
        signal.signal(number, exit)
    try:
        yield
    finally:
        for number in numbers:
            signal.signal(number, signal.SIG_DFL)
