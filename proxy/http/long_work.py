"""Keeps work that takes long from holding up the event loop, and with it all other requests.

Work in one piece runs on a thread. Python still runs one thread at a time, but changes between them every few
milliseconds. Work on one event after the other pauses from time to time.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

# From this many bytes of JSON on. To change to a thread and back takes as long as to read a tenth of that.
LONG = 2**16
# Seconds of work between two pauses.
MAX_BUSY = 0.02
# With more of them the event loop would get its turn less often, and nothing would be faster.
_threads = ThreadPoolExecutor(2, thread_name_prefix="long-work")


async def off_loop(size: int, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    "Call the function, whose time is proportional to `size`, the length of a request's body in bytes."
    if size < LONG:
        return function(*args, **kwargs)
    return await asyncio.get_running_loop().run_in_executor(_threads, partial(function, *args, **kwargs))


class BusyTime:
    """The time since a task last let others run.

    A task that reads what is there already, such as thousands of events that one line of an engine completes,
    never waits. It should do `await asyncio.sleep(0)` whenever `is_long` returns true.
    """

    def __init__(self) -> None:
        self._since = time.perf_counter()

    def is_long(self) -> bool:
        now = time.perf_counter()
        if now - self._since < MAX_BUSY:
            return False
        self._since = now
        return True
