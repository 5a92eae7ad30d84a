"How the time of a function grows with its input."

from __future__ import annotations

import time
from collections.abc import Callable


def assert_linear(function: Callable[[str], object], text: Callable[[int], str]) -> None:
    """Assert that the time is in proportion to the length of the text that `text` makes of a number.

    Eight times the length takes eight times as long, or 64 times if the time is quadratic.
    """
    assert _seconds(function, text(40_000)) < 24 * max(_seconds(function, text(5_000)), 0.002)


def _seconds(function: Callable[[str], object], text: str) -> float:
    "Return the processor time, which other programs do not change much."

    def once() -> float:
        start = time.process_time()
        function(text)
        return time.process_time() - start

    return min(once() for _ in range(2))
