"""Ids and time as one value that is handed in, so that what is written can be told beforehand in a test."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Stamp:
    "`new_id` takes a prefix such as `chatcmpl`; `now` gives seconds since 1970."

    new_id: Callable[[str], str]
    now: Callable[[], int]


def real() -> Stamp:
    return Stamp(lambda prefix: f"{prefix}-{secrets.token_hex(12)}", lambda: int(time.time()))
