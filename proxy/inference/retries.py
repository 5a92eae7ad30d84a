"""Finds out whether a request is a retry. Of equal retries that come at once, one runs."""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

from ..log.idempotency import Attempt, PreviousAttempt, request_key, retry_hint, select_attempt
from ..log.reader import LogReader
from ..log.shared_locks import SharedLocks
from ..log.spool import POLL_SECONDS
from .client_request import ClientRequest


class Retries:
    """Tells retries from other requests. `locks` has one lock for each request that can be retried.

    An attempt locks its request before it looks for earlier attempts, until its own turns are in the log,
    where later attempts find them.
    """

    def __init__(self, log_reader: LogReader, locks: SharedLocks, new_id: Callable[[], str]) -> None:
        self._log_reader = log_reader
        self._locks = locks
        self._new_id = new_id

    async def attempt(self, client: ClientRequest[Any], choices: int = 1, *, wait: bool = True) -> Attempt:
        """Return the attempt of this request, with the ids of its turns.

        A retry gets the answer of the first attempt, or the ids of those turns if they broke off. If the
        first attempt is still running, this waits for its end unless `wait` is False.
        """
        ids = tuple(self._new_id() for _ in range(choices))
        request = client.request
        hint = retry_hint(request.headers)
        if hint is None:
            return Attempt(ids)
        key = request_key(
            hint, request.url.path.encode(), (client.viewer.actor or "").encode(), client.body.raw
        )
        if hint.first:
            # Equal requests that are no retries need not wait for each other.
            claim = self._locks.acquire(key)
            if claim:
                client.at_end.callback(claim.release)
            return Attempt(ids, key, claim=claim)
        since = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(hours=hint.hours)
        while (attempt := await self._look(client, Attempt(ids, key), since, wait)) is None:  # noqa: ASYNC110
            await asyncio.sleep(POLL_SECONDS)
        return attempt

    async def _look(
        self, client: ClientRequest[Any], new: Attempt, since: datetime.datetime, wait: bool
    ) -> Attempt | None:
        "Return the `new` attempt, or the earlier one that it repeats. None if it has to wait for another."
        assert new.key
        claim = self._locks.acquire(new.key)
        if claim is None:
            return None
        with ExitStack() as looking:
            looking.callback(claim.release)
            attempts = await self._log_reader.attempts(new.key, since)
            if wait and any(each.in_progress for each in attempts):
                return None
            attempt = _repeated(new, select_attempt(attempts, len(new.ids)))
            if attempt.done or attempt.running:
                return attempt
            client.at_end.push(looking.pop_all())
            return replace(attempt, claim=claim)


def _repeated(new: Attempt, previous: PreviousAttempt | None) -> Attempt:
    if previous is None:
        return new
    return replace(
        new,
        ids=(*previous.ids, *new.ids[len(previous.ids) :]),
        done=previous.succeeded == len(new.ids),
        running=previous.in_progress,
    )
