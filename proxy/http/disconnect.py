"""Notices that a client disconnects, and stops the work for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Coroutine
from typing import Any, TypeVar

from starlette.types import Message, Receive

from .errors import ApiError
from .server_stop import is_cut, stopped_error

T = TypeVar("T")

# nginx's status for a client that disconnected before it was answered; HTTP has none.
CLIENT_LEFT = 499


async def messages_until_disconnect(receive: Receive) -> AsyncGenerator[Message, None]:
    "Yield what the client sends, over HTTP or a WebSocket, until it disconnects."
    while not (message := await receive())["type"].endswith(".disconnect"):
        yield message


async def wait_for_disconnect(receive: Receive) -> None:
    "Return when the client disconnects, and drop what it still sends."
    async for _ in messages_until_disconnect(receive):
        pass


async def cancel_on_disconnect(receive: Receive, work: Coroutine[Any, Any, T]) -> T:
    """Return the result of `work`, or raise what it raises.

    Raises ApiError if the client disconnects first, or if the server stops and cuts the request; `work` is
    then cancelled and has ended.
    """
    task = asyncio.ensure_future(work)
    try:
        await run_until_first_ends(task, wait_for_disconnect(receive))
    except asyncio.CancelledError as cancelled:
        if is_cut(cancelled):
            raise stopped_error() from None
        raise
    if task.cancelled():
        raise ApiError(CLIENT_LEFT, "The client disconnected.")
    return task.result()


async def run_until_first_ends(*steps: Awaitable[Any]) -> None:
    """Run the steps concurrently until one of them ends, then cancel the others and wait for them.

    Raises what any of them raised.
    """
    tasks = [asyncio.ensure_future(step) for step in steps]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    for task in tasks:
        if not task.cancelled():
            task.result()
