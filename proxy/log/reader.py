"""Reads the log in a thread and on a connection of its own, so that reading does not wait for writing."""

from __future__ import annotations

import asyncio
import datetime
import re
import sqlite3
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from pathlib import Path
from typing import NamedTuple, TypeVar

from llm.logs import LogStore
from llm.parts import StreamEvent

from ..generation import Finished
from ..http.errors import ApiError, log_unavailable
from .database import LogFile, is_transient
from .idempotency import PreviousAttempt
from .logged_turn import LoggedTurn, from_spool
from .queries import load_turn
from .spool import Spool

T = TypeVar("T")

# What no turn goes by is not looked for: clients write ids, and files are called after them.
_TURN_ID = re.compile(r"[0-9a-z]{1,40}", re.ASCII)

ATTEMPTS = """
select answer_id, turn_id, status, 0 from gpt_oss_requests
where idempotency_key = ? and datetime_utc >= ? and not deleted
"""


class _Asked(NamedTuple):
    answer_id: str
    id: str
    status: int
    under_way: bool


class LogReader:
    "The log at `path`. All methods raise ApiError where it cannot be read."

    def __init__(self, path: Path) -> None:
        self._file = LogFile(path)
        self._spool = Spool(path)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="log-reader")

    async def read(self, work: Callable[[LogStore], T]) -> T:
        return await asyncio.wrap_future(self._thread.submit(self._read, work))

    def close(self) -> None:
        self._thread.submit(self._file.close)
        self._thread.shutdown()

    async def turn(self, turn_id: str) -> LoggedTurn | None:
        "Whether it is deleted or not: of the database, or of what still waits to be written there."
        if not _TURN_ID.fullmatch(turn_id):
            return None
        return await asyncio.wrap_future(self._thread.submit(self._turn, turn_id))

    async def attempts(self, idempotency_key: str, since: datetime.datetime) -> list[PreviousAttempt]:
        "What was asked for under this key and is not deleted, oldest first."
        turns = await asyncio.wrap_future(self._thread.submit(self._attempts, idempotency_key, since))
        answers = [[*of_one] for _, of_one in groupby(sorted(turns), lambda turn: turn.answer_id)]
        return [
            PreviousAttempt(
                tuple(turn.id for turn in of_one),
                sum(turn.status == 200 for turn in of_one),
                any(turn.under_way for turn in of_one),
            )
            for of_one in answers
        ]

    async def events(self, turn_id: str) -> AsyncGenerator[StreamEvent | Finished, None]:
        logged = await self.turn(turn_id)
        for event in logged.events() if logged else ():
            yield event

    # On the thread.

    def _read(self, work: Callable[[LogStore], T]) -> T:
        try:
            return work(self._file.opened())
        except (OSError, sqlite3.Error) as error:
            if is_transient(error):
                raise log_unavailable(error) from error
            raise

    def _attempts(self, idempotency_key: str, since: datetime.datetime) -> list[_Asked]:
        # First what waits: it may be in the database a moment later, and the other way round it cannot be.
        asked = {
            turn.id: _Asked(turn.request.answer_id or turn.id, turn.id, turn.request.status, under_way)
            for turn, under_way in reversed(self._spool.attempts(idempotency_key))
        }
        given = [idempotency_key, since.isoformat()]
        try:
            rows = self._read(lambda log: log.db.conn.execute(ATTEMPTS, given).fetchall())
        except ApiError:
            rows = []  # an answer does not wait for the log
        return [*{**{row[1]: _Asked(*row) for row in rows}, **asked}.values()]

    def _turn(self, turn_id: str) -> LoggedTurn | None:
        if found := self._spool.find(turn_id):
            turn, under_way = found
            return from_spool(turn, under_way)
        return self._read(lambda log: load_turn(log, turn_id))
