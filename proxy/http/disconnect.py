"""Several things at once, until the first of them ends."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any


async def run_until_first_ends(*steps: Coroutine[Any, Any, None]) -> None:
    "The others are cancelled then, and waited for. Raises what any of them raised."
    work = [asyncio.ensure_future(step) for step in steps]
    try:
        await asyncio.wait(work, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in work:
            task.cancel()
        await asyncio.wait(work)
    for task in work:
        if not task.cancelled():
            task.result()
