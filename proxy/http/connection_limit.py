"""Limits how many clients may be connected at once.

Each connection needs a file descriptor, and so do the engines, the log and its spool. A server without free
descriptors can do nothing, so some are kept for everything but clients.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from contextlib import suppress
from typing import Any

if sys.platform != "win32":
    import resource

# Descriptors that are no clients' connections.
RESERVED_FILES = 32
# So many clients may always connect.
MIN_CONNECTIONS = 8
# As many descriptors as the server asks for. Some systems allow any number, and mean fewer than they say.
MAX_FILES = 65_536
# How many connections are accepted before the first of them is counted.
ACCEPTED_AT_ONCE = 16
# How many more wait in the system until they are accepted.
BACKLOG = 2048

logger = logging.getLogger(__name__)


def max_connections() -> float:
    "Return how many clients may be connected at this moment, which depends on a limit of the process."
    if sys.platform == "win32":
        return float("inf")
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(MIN_CONNECTIONS, files - RESERVED_FILES) if files != resource.RLIM_INFINITY else float("inf")


def raise_file_limit() -> None:
    "Let the process have more descriptors, as far as its user may. Many systems begin with 256 or 1,024."
    if sys.platform == "win32":
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_FILES if hard == resource.RLIM_INFINITY else min(MAX_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


class SecondlyWarning:
    "Logs a warning, but not more than once in a second."

    def __init__(self) -> None:
        self._logged_at = float("-inf")

    def __call__(self, message: str, *arguments: Any) -> None:
        now = time.monotonic()
        if now - self._logged_at >= 1:
            self._logged_at = now
            logger.warning(message, *arguments)


class AcceptErrors:
    """The event loop's handler of exceptions, for a server without free descriptors.

    asyncio tries to accept connections once a second then, and logs dozens of tracebacks each time.
    """

    def __init__(self) -> None:
        self._warn = SecondlyWarning()

    def __call__(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        if "socket" in context and isinstance(context.get("exception"), OSError):
            self._warn("No connection can be accepted at the moment: %s", context["exception"])
        else:
            loop.default_exception_handler(context)
