"""A turn that broke off, as one that can be logged."""

from __future__ import annotations

import copy
import time

import llm


def partial_response(response: llm.Response | llm.AsyncResponse) -> llm.Response:
    "A copy of the response, with what had arrived, that llm takes for complete."
    turn = response._to_sync_response() if isinstance(response, llm.AsyncResponse) else copy.copy(response)
    turn._done, turn._end = True, time.monotonic()
    return turn
