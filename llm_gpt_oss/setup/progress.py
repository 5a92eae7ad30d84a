"How long work tells how far it is, and how it outlives a network that comes and goes."

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

from ..errors import GptOssError

# Attempts in a row that get no further; the pauses between them double, 15 seconds in all.
PATIENCE = 5


class Progress(NamedTuple):
    "A step of the work, and the bytes done of all its bytes where it has any."

    label: str
    done: int | None = None
    total: int | None = None


Report = Callable[[Progress], None]


def persist(
    attempt: Callable[[], Iterator[Progress]], report: Report, *, interruption: type[GptOssError]
) -> None:
    """Run the attempt to its end, again and again as long as interruptions find it further than before.

    What fails before its first byte was not interrupted: that error comes out at once.
    """
    furthest: dict[str, int] = {}
    idle = 0
    while True:
        try:
            for progress in attempt():
                report(progress)
                if progress.done and progress.done > furthest.get(progress.label, 0):
                    furthest[progress.label], idle = progress.done, 0
            return
        except interruption as cut:
            idle += 1
            if not furthest or idle == PATIENCE:
                raise
            report(Progress(f"Interrupted, going on: {cut.message}"))
            time.sleep(2 ** (idle - 1))
