"""Keeps work that takes long from holding up the event loop, and with it all other requests.

It runs on a thread. Python still runs one thread at a time, but changes between them every few milliseconds.
Work on one event after the other pauses instead (`llm_gpt_oss.streaming.BusyTime`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

# From this many bytes of JSON on. To change to a thread and back takes as long as to read a tenth of that.
LONG = 2**16
# With more of them the event loop would get its turn less often, and nothing would be faster.
_threads = ThreadPoolExecutor(2, thread_name_prefix="long-work")


async def off_loop(size: int, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    "Call the function, whose time is proportional to `size`, the bytes of a request's body or of an answer."
    if size < LONG:
        return function(*args, **kwargs)
    return await asyncio.get_running_loop().run_in_executor(_threads, partial(function, *args, **kwargs))
