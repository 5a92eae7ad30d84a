"Progress reports of long work, and retries after interruptions."

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

from ..errors import GptOssError

# Attempts in a row without progress. The pauses between them double: 15 seconds in all.
MAX_ATTEMPTS = 5


class Progress(NamedTuple):
    "A step of the work. `done` and `total` are bytes, or None if the step does not count any."

    label: str
    done: int | None = None
    total: int | None = None


Report = Callable[[Progress], None]


def run_with_retries(
    attempt: Callable[[], Iterator[Progress]], report: Report, *, interruption: type[GptOssError]
) -> None:
    """Run `attempt`, and repeat it after interruptions as long as that makes progress.

    An attempt resumes where the one before it stopped. An error before the first byte is not an interruption:
    it is raised at once.
    """
    furthest: dict[str, int] = {}
    attempts_without_progress = 0
    while True:
        try:
            for progress in attempt():
                report(progress)
                if progress.done and progress.done > furthest.get(progress.label, 0):
                    furthest[progress.label], attempts_without_progress = progress.done, 0
            return
        except interruption as error:
            attempts_without_progress += 1
            if not furthest or attempts_without_progress == MAX_ATTEMPTS:
                raise
            report(Progress(f"Interrupted, retrying: {error.message}"))
            time.sleep(2 ** (attempts_without_progress - 1))
