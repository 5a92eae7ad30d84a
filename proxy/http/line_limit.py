"""Limits lines of the server's output that any client can cause, without a key and as often as it likes."""

from __future__ import annotations

import logging
import time

# What uvicorn logs for each request that is not HTTP.
INVALID_REQUEST = "Invalid HTTP request received."


class LineLimit(logging.Filter):
    "Lets a line with this message pass once in a second. The next one has the number of those left out."

    def __init__(self, message: str) -> None:
        super().__init__()
        self._message = message
        self._logged_at = float("-inf")
        self._left_out = 0

    def filter(self, record: logging.LogRecord) -> bool:
        if record.msg != self._message:
            return True
        now = time.monotonic()
        if now - self._logged_at < 1:
            self._left_out += 1
            return False
        if self._left_out:
            record.msg = f"{self._message} And {self._left_out} more since the line before."
        self._logged_at, self._left_out = now, 0
        return True


# A logger has a filter once, however often it is added.
INVALID_REQUESTS = LineLimit(INVALID_REQUEST)
