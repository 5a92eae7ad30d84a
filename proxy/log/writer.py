"""Writes turns to llm's log in a thread of its own, so that no answer waits for the database.

A turn is a file in the spool from its beginning until it is in the database (`spool`). A database that is
locked, full or missing therefore only delays logging: waiting turns are written together with the next turn
that succeeds, when the server stops, and when it starts again.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from llm.logs import LogStore
from llm.parts import Message

from llm_gpt_oss.log import waiting
from llm_gpt_oss.log.database import is_transient, write_transaction

from ..http.errors import log_unavailable
from . import tables
from .chain_cache import ChainCache
from .database import BUSY_TIMEOUT, SHORT_BUSY_TIMEOUT, LogFile
from .spool import Spool
from .thread_match import HashedPrompt, ThreadMatcher
from .turn import UNFINISHED, Turn
from .turn_writer import TurnWriter

T = TypeVar("T")

logger = logging.getLogger(__name__)

# How many seconds `close` waits for turns that have begun.
GRACE = 5.0


class LogWriter:
    """Writes to the log at `path`. Its methods may be called from any task of one event loop.

    No method but `change` fails because of the database: `status` reports such problems.
    """

    def __init__(self, path: Path, *, grace: float = GRACE) -> None:
        self._path = path
        self._grace = grace
        self._spool = Spool(path)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="log")
        self._file = LogFile(path)
        self._problem: str | None = None
        self._waiting = 0
        self._begun_ids: set[str] = set()
        self._finished: deque[tuple[Turn, Future[None]]] = deque()
        # Only the log's thread uses these. What `begin` computed is kept until the turn is written.
        self._prompts: dict[str, HashedPrompt] = {}
        self._chains = ChainCache()

    @property
    def status(self) -> str:
        "`ok`, or `behind N` while N turns wait to be written; followed by the reason if writing fails."
        backlog = f"behind {self._waiting}" if self._waiting else "ok"
        return f"{backlog}, spooling: {self._problem}" if self._problem else backlog

    @property
    def folder(self) -> Path:
        "Where turns are stored that are not in the database yet."
        return self._spool.folder

    async def open(self) -> None:
        "Writes the turns that an earlier process left in the spool."
        await self._run(self._recover)

    async def begin(self, turn: Turn) -> list[Message]:
        """Puts the turn into the spool. `record` or `forget` must follow.

        Returns its messages, with what the client left out restored from the log (`thread_match`).
        """
        self._begun_ids.add(turn.id)
        return await self._run(lambda: self._begin(turn))

    def record(self, turn: Turn) -> Future[None]:
        """Writes the turn, even if nobody waits for it.

        The result is done when the turn cannot be lost any more: it is in the database, or in the spool.
        """
        recorded: Future[None] = Future()
        recorded.set_running_or_notify_cancel()  # from now on it cannot be cancelled
        self._finished.append((turn, recorded))
        self._thread.submit(self._record_all)
        self._begun_ids.discard(turn.id)
        return recorded

    def forget(self, turn: Turn) -> None:
        "Drops a turn that has begun and must not be logged after all."
        self._thread.submit(self._remove, turn)
        self._begun_ids.discard(turn.id)

    async def change(self, work: Callable[[LogStore], T]) -> T:
        """Runs `work` in one transaction with the write lock and returns its result.

        Raises what `work` raises, and ApiError if the log cannot be written: unlike a turn, a change is not
        spooled.
        """
        return await self._run(lambda: self._change(work))

    async def close(self) -> None:
        "Waits until all running turns are recorded, but not longer than the grace period."
        for _ in range(round(self._grace / 0.01)):
            if not self._begun_ids:
                break
            await asyncio.sleep(0.01)
        await self._run(self._close)
        self._thread.shutdown()

    async def _run(self, work: Callable[[], T]) -> T:
        return await asyncio.wrap_future(self._thread.submit(work))

    # The following methods run in the log's thread.

    def _recover(self) -> None:
        with suppress(OSError):
            self._spool.recover()
        self._catch_up()

    def _begin(self, turn: Turn) -> list[Message]:
        request = turn.request
        messages, shortened = turn.prompt, request
        try:
            matcher = ThreadMatcher(self._file.opened(), self._chains)
            if request.continues:
                messages = matcher.history(messages, request.actor, request.added + request.known)
            else:
                prompt = self._prompts[turn.id] = matcher.restore(messages, request.actor)
                messages, shortened = prompt.messages, request.shorten(prompt.new_messages)
        except Exception as error:
            self._report(error)
        try:
            self._spool.begin(replace(turn, request=shortened))
        except OSError as error:
            self._report(error)
        return messages

    def _record_all(self) -> None:
        "Turns that have ended since the last call share a transaction: a commit costs more than a turn."
        finished = [self._finished.popleft() for _ in range(len(self._finished))]
        if not finished:
            return
        try:
            self._record([turn for turn, _ in finished])
        except BaseException as error:
            for _, recorded in finished:
                recorded.set_exception(error)
            raise
        for _, recorded in finished:
            recorded.set_result(None)

    def _record(self, turns: Sequence[Turn]) -> None:
        # Waiting turns come first, because these may continue one of them.
        none_waits = self._write_waiting()
        try:
            self._write(*turns)
        except Exception as error:
            if len(turns) > 1 and not is_transient(error):
                for turn in turns:
                    self._record([turn])
                return
            for turn in turns:
                self._keep(turn, error)
        else:
            if none_waits:
                self._report_success()
        self._count()

    def _change(self, work: Callable[[LogStore], T]) -> T:
        try:
            log = self._file.opened()
            with write_transaction(log.db.conn):
                return work(log)
        except Exception as error:
            if is_transient(error):
                raise log_unavailable(error) from error
            raise

    def _remove(self, turn: Turn) -> None:
        self._prompts.pop(turn.id, None)
        with suppress(OSError):
            self._spool.remove(turn)

    def _write(self, *turns: Turn) -> None:
        log = self._file.opened()
        writer = TurnWriter(log)
        with write_transaction(log.db.conn):
            for turn in turns:
                writer.write(turn, self._prompts.get(turn.id))
        for turn in turns:
            self._remove(turn)

    def _keep(self, turn: Turn, error: Exception) -> None:
        "Puts a turn that could not be written into the spool."
        self._prompts.pop(turn.id, None)
        self._report(error)
        try:
            if is_transient(error):
                self._spool.keep(turn)
            else:
                self._spool.reject(turn)
        except OSError as problem:
            self._report(problem)

    def _catch_up(self) -> None:
        if self._write_waiting():
            self._report_success()
        self._count()

    def _write_waiting(self) -> bool:
        "Writes the waiting turns, oldest first, then those of LLM's commands. Returns whether none is left."
        try:
            for turn in self._spool:
                self._write_late(turn)
            waiting.write_waiting(self._file.opened(), self._path)
        except Exception as error:
            self._report(error)
            return False
        return True

    def _write_late(self, turn: Turn) -> None:
        connection = self._file.opened().db.conn
        if turn.request.status == UNFINISHED and tables.has_request(connection, turn.id):
            self._spool.remove(turn)  # its process ended just after it had written the turn
            return
        try:
            self._write(turn)
        except Exception as error:
            if is_transient(error):
                raise
            self._report(error)
            self._spool.reject(turn)

    def _report(self, error: Exception) -> None:
        if self._problem is None:
            logger.warning("Turns are not logged but kept in %s: %s", self._spool.folder, error)
        if not is_transient(error):
            logger.error("A turn could not be logged", exc_info=error)
        self._problem = str(error) or type(error).__name__
        self._file.set_busy_timeout(SHORT_BUSY_TIMEOUT)

    def _report_success(self) -> None:
        if self._problem is not None:
            logger.warning("Turns are logged again")
            self._problem = None
            self._file.set_busy_timeout(BUSY_TIMEOUT)

    def _count(self) -> None:
        self._waiting = len(self._spool) + len(waiting.waiting_turns(self._path))

    def _close(self) -> None:
        self._file.set_busy_timeout(BUSY_TIMEOUT)
        self._catch_up()
        self._file.close()
