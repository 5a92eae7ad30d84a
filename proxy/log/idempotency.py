"""Recognizes a request that a client sends again.

A client can mark it with an `Idempotency-Key`. OpenAI's SDKs do not: when they retry they send the same body,
with the number of earlier attempts in `x-stainless-retry-count` (openai 3.54, `_base_client.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import NamedTuple

from .shared_locks import SharedLock

# For how many hours the answer of an earlier request is returned.
KEY_HOURS, RETRY_HOURS = 24, 1


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt at one answer. `ids` are those of its turns, one for each choice.

    A repeated attempt has the ids of the earlier one, so that it replaces its turns in the log. `key`
    identifies the request. `done`: the answer is in the log. `running`: it is still being generated.
    `claim` keeps other requests with this key waiting until the last of the turns is in the log.
    """

    ids: tuple[str, ...]
    key: str | None = None
    done: bool = False
    running: bool = False
    claim: SharedLock | None = field(default=None, compare=False)

    @property
    def answer_id(self) -> str:
        return self.ids[0]

    def has_begun(self, choice: int) -> None:
        "Release the claim if the turn of this choice, which is in the log now, is the last."
        if self.claim and choice == len(self.ids) - 1:
            self.claim.release()


class RetryHint(NamedTuple):
    """What the headers reveal about retries: `identity` identifies the request together with its body, for so
    many `hours`. The `first` attempt has no earlier ones.
    """

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


def request_key(hint: RetryHint, *content: bytes) -> str:
    "Identifies a request by its hint and by its content: the same hint with another body is another request."
    digest = blake2b(hint.identity.encode(), digest_size=16)
    for part in content:
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()


class PreviousAttempt(NamedTuple):
    "An earlier attempt: the ids of its turns, in order, and how many of them succeeded."

    ids: tuple[str, ...]
    succeeded: int
    in_progress: bool = False


def select_attempt(attempts: Sequence[PreviousAttempt], choices: int) -> PreviousAttempt | None:
    """Return the earlier attempt that a new attempt repeats, or None if there is none.

    `attempts` are the attempts at an answer of `choices` choices, oldest first. The last one that failed is
    repeated. If none failed, the last one is: the client did not receive its answer.
    """
    failed = [attempt for attempt in attempts if attempt.succeeded < choices]
    return (failed or attempts)[-1] if attempts else None
