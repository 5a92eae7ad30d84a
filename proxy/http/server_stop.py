"""Tells the application that the server stops, and when the time for running requests is over.

uvicorn informs only its connections. They pass this on through the state of the lifespan, which is a part of
each request's scope.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Sequence
from typing import Any

from .errors import SERVER, ApiError

STOPPED = "The server was stopped."
# Seconds that requests which are cut have to log their turns. uvicorn's own limit comes that much later.
CLEAN_UP_SECONDS = 5.0
# The name under which the lifespan's state has the ServerStop.
STATE = "stop"

logger = logging.getLogger(__name__)


class ServerStop:
    """The stop of one server.

    `began` is set when the server takes no more requests. `is_cut` is whether requests that were still
    running were cancelled. `lost` are the ids of turns that could not be kept.
    """

    def __init__(self) -> None:
        self.began = asyncio.Event()
        self.is_cut = False
        self.lost: Sequence[str] = ()

    def begin(self, requests: Collection[asyncio.Task[None]], grace: float | None) -> None:
        "Cancel what is left of the requests after the grace period. Only the first call has an effect."
        if self.began.is_set():
            return
        self.began.set()
        if grace is not None:
            asyncio.get_running_loop().call_later(max(0, grace - CLEAN_UP_SECONDS), self.cut, requests)

    def cut(self, requests: Collection[asyncio.Task[None]]) -> None:
        "Cancel the requests now. Only the first call has an effect."
        if self.is_cut:
            return
        self.is_cut = True
        if requests:
            logger.warning("The server stops. %d requests that are still running are cut.", len(requests))
        # uvicorn logs each with a traceback.
        logging.getLogger("uvicorn.error").addFilter(is_no_cut_request)
        for request in requests:
            request.cancel(STOPPED)


def is_cut(cancelled: asyncio.CancelledError) -> bool:
    "Return whether the stop of the server cancelled the request."
    return cancelled.args == (STOPPED,)


def stopped_error() -> ApiError:
    message = f"{STOPPED} Try again when it runs again."
    return ApiError(503, message, SERVER, "server_stopped", headers={"Retry-After": "5"})


def is_no_cut_request(record: logging.LogRecord) -> bool:
    error: Any = record.exc_info and record.exc_info[1]
    return not isinstance(error, asyncio.CancelledError)
