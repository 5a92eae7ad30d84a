"Measure how the time of a function grows with the size of its input."

from __future__ import annotations

import time
from collections.abc import Callable


def assert_linear(function: Callable[[str], object], text: Callable[[int], str]) -> None:
    """Assert that the time is proportional to the length of the text. `text` returns a text for a size.

    Eight times the size takes eight times as long, but 64 times if the time is quadratic.
    """
    assert _seconds(function, text(40_000)) < 24 * max(_seconds(function, text(5_000)), 0.002)


def _seconds(function: Callable[[str], object], text: str) -> float:
    "Return the processor time, which other programs do not change much."

    def once() -> float:
        start = time.process_time()
        function(text)
        return time.process_time() - start

    return min(once() for _ in range(2))
