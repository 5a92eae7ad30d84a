"""The same request sent again.

A client may say so by an `Idempotency-Key`. OpenAI's SDKs send none by themselves; they send the same body,
and in `x-stainless-retry-count` how often they have sent it before (openai 3.54, `_base_client.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import NamedTuple

# For how many hours an answer is given again.
KEY_HOURS, RETRY_HOURS = 24, 1


@dataclass(frozen=True, slots=True)
class Attempt:
    """At one answer: the ids of its turns, one a choice; those of an earlier attempt where there was one, so
    that what it left in the log is written anew and not once more. `key` is what finds it again. `done`: the
    answer is in the log already; `running`: it is still being made.
    """

    ids: tuple[str, ...]
    key: str | None = None
    done: bool = False
    running: bool = False

    @property
    def answer_id(self) -> str:
        return self.ids[0]


class RetryHint(NamedTuple):
    """How a client tells that a request is one that it has sent before: by what besides its body, and that it
    counts for so many `hours`. The `first` of them has none before it."""

    identity: str
    hours: int
    first: bool = False


def retry_hint(headers: Mapping[str, str]) -> RetryHint | None:
    if key := headers.get("idempotency-key"):
        return RetryHint(f"key {key}", KEY_HOURS)
    count = headers.get("x-stainless-retry-count", "")
    if not (count.isascii() and count.isdecimal()):
        return None
    return RetryHint(f"client {headers.get('user-agent', '')}", RETRY_HOURS, first=not count.strip("0"))


def request_key(saying: RetryHint, *asked: bytes) -> str:
    """Of what the client says and all that makes the request what it is: the same key with another body is
    another.
    """
    digest = blake2b(saying.identity.encode(), digest_size=16)
    for part in asked:
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()


class PreviousAttempt(NamedTuple):
    "An earlier attempt: its turns, in order, and how many of them ended well."

    ids: tuple[str, ...]
    succeeded: int
    in_progress: bool = False


def select_attempt(past: Sequence[PreviousAttempt], choices: int) -> PreviousAttempt | None:
    """Of attempts at `choices` choices, oldest first, the one that is meant.

    The last that did not end well: who asked for that one asks again. If all did, an answer was lost on its
    way: the last one.
    """
    broken = [each for each in past if each.succeeded < choices]
    return (broken or past)[-1] if past else None
