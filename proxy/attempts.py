"""The same request sent again: OpenAI's clients do that with the same `Idempotency-Key`."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b


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


def key_of(sent: str, *asked: bytes) -> str:
    """Of the client's key and all that makes the request what it is: the same key with another body is
    another.
    """
    digest = blake2b(sent.encode(), digest_size=16)
    for part in asked:
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()


class Attempts:
    "Those under way in this process."

    def __init__(self) -> None:
        self._under_way: dict[str, tuple[Attempt, asyncio.Event]] = {}

    @contextmanager
    def under_way(self, attempt: Attempt) -> Iterator[None]:
        if attempt.key is None or attempt.key in self._under_way:
            yield
            return
        over = asyncio.Event()
        self._under_way[attempt.key] = attempt, over
        try:
            yield
        finally:
            del self._under_way[attempt.key]
            over.set()

    def running(self, key: str) -> Attempt | None:
        attempt, _ = self._under_way.get(key, (None, None))
        return attempt

    async def over(self, key: str) -> None:
        "Waits for an attempt with this key."
        while running := self._under_way.get(key):
            await running[1].wait()
