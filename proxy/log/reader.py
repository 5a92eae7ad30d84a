"""Reads the log in a thread and on a connection of its own, so that reading does not wait for writing."""

from __future__ import annotations

import asyncio
import datetime
import logging
import re
import sqlite3
import time
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from llm.parts import StreamEvent

from llm_gpt_oss.log.database import is_transient
from llm_gpt_oss.log.redacting_store import RedactingStore
from llm_gpt_oss.streaming import BusyTime

from ..generation import Finished
from ..http.errors import ApiError, log_unavailable
from .database import BUSY_TIMEOUT, SHORT_BUSY_TIMEOUT, LogFile
from .idempotency import PreviousAttempt
from .lock_holders import lock_holders
from .logged_turn import LoggedTurn, from_spool
from .queries import load_turn
from .spool import Spool

T = TypeVar("T")

logger = logging.getLogger(__name__)

# Other ids are not looked up: clients choose them, and files of the spool are named after them.
_TURN_ID = re.compile(r"[0-9a-z]{1,40}", re.ASCII)

ATTEMPTS = """
select answer_id, turn_id, status, 0 from gpt_oss_requests
where idempotency_key = ? and datetime_utc >= ? and not deleted
"""


class _AttemptTurn(NamedTuple):
    answer_id: str
    id: str
    status: int
    in_progress: bool


class LogReader:
    """Reads the log at `path`, and the turns in its `spool`.

    All methods raise ApiError if that is not possible. A read waits BUSY_TIMEOUT for the lock of another
    program. If that was in vain, reads that came in the meantime fail with it, and later ones wait
    SHORT_BUSY_TIMEOUT until one succeeds.
    """

    def __init__(self, path: Path, spool: Spool) -> None:
        self._path = path
        # Only the reader's thread uses these two: why the last read failed, if it did, and when.
        self._problem: Exception | None = None
        self._failed_at = 0.0
        self._file = LogFile(path)
        self._spool = spool
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="log-reader")

    async def read(self, work: Callable[[RedactingStore], T]) -> T:
        return await self._run(self._read, work)

    def close(self) -> None:
        self._thread.submit(self._file.close)
        self._thread.shutdown()

    async def turn(self, turn_id: str) -> LoggedTurn | None:
        "A turn from the database or from the spool, deleted or not. None if there is no such turn."
        if not _TURN_ID.fullmatch(turn_id):
            return None
        return await self._run(self._turn, turn_id)

    async def attempts(self, idempotency_key: str, since: datetime.datetime) -> list[PreviousAttempt]:
        "The attempts with this key that are not deleted, oldest first."
        turns = await self._run(self._attempts, idempotency_key, since)
        attempts = [[*choices] for _, choices in groupby(sorted(turns), lambda turn: turn.answer_id)]
        return [
            PreviousAttempt(
                tuple(turn.id for turn in choices),
                sum(turn.status == 200 for turn in choices),
                any(turn.in_progress for turn in choices),
            )
            for choices in attempts
        ]

    async def events(self, turn_id: str) -> AsyncGenerator[StreamEvent | Finished, None]:
        logged = await self.turn(turn_id)
        busy = BusyTime()
        for event in logged.events() if logged else ():
            yield event
            await busy.pause()

    async def _run(self, work: Callable[..., T], *arguments: Any) -> T:
        return await asyncio.wrap_future(self._thread.submit(work, time.monotonic(), *arguments))

    # The following methods run in the reader's thread. `called` is the time of the call.

    def _read(self, called: float, work: Callable[[RedactingStore], T]) -> T:
        if self._problem and called < self._failed_at:
            raise log_unavailable(self._problem)
        try:
            result = work(self._file.opened())
        except (OSError, sqlite3.Error) as error:
            if not is_transient(error):
                raise
            self._report(error)
            raise log_unavailable(error) from error
        if self._problem:
            logger.warning("The log can be read again")
            self._problem = None
            self._file.set_busy_timeout(BUSY_TIMEOUT)
        return result

    def _report(self, error: Exception) -> None:
        if self._problem is None:
            holders = lock_holders(self._path)
            using = f" It is locked by {' and '.join(holders)}." if holders else ""
            logger.warning("The log %s cannot be read: %s.%s", self._path, error, using)
        self._problem, self._failed_at = error, time.monotonic()
        self._file.set_busy_timeout(SHORT_BUSY_TIMEOUT)

    def _attempts(self, called: float, idempotency_key: str, since: datetime.datetime) -> list[_AttemptTurn]:
        # The spool first: a turn moves from there to the database, never back.
        spooled = {
            turn.id: _AttemptTurn(
                turn.request.answer_id or turn.id, turn.id, turn.request.status, in_progress
            )
            for turn, in_progress in reversed(self._spool.attempts(idempotency_key))
        }
        parameters = [idempotency_key, since.isoformat()]
        try:
            rows = self._read(called, lambda log: log.db.conn.execute(ATTEMPTS, parameters).fetchall())
        except ApiError:
            rows = []  # an answer does not depend on the log
        return [*{**{row[1]: _AttemptTurn(*row) for row in rows}, **spooled}.values()]

    def _turn(self, called: float, turn_id: str) -> LoggedTurn | None:
        if spooled := self._spool.find(turn_id):
            return from_spool(*spooled)
        return self._read(called, lambda log: load_turn(log, turn_id))
