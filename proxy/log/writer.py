"""Writes turns to llm's log in a thread of its own, so that no answer waits for the database.

A turn is in the spool from its beginning until it is in the database (`spool`). A database that is locked,
full or missing therefore only delays logging: the server tries again every second, with each turn that ends,
and when it stops. If the spool's folder cannot be written either, turns are in memory, and `close` waits.
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

from llm.parts import Message

from llm_gpt_oss.log import waiting_turns
from llm_gpt_oss.log.database import check_writable, is_transient, write_transaction
from llm_gpt_oss.log.redacting_store import RedactingStore

from ..http.errors import log_unavailable
from . import problems
from .chain_cache import ChainCache
from .database import BUSY_TIMEOUT, SHORT_BUSY_TIMEOUT, LogFile
from .spool import Spool, reason
from .stop_signal import next_signal
from .thread_match import HashedPrompt, ThreadMatcher
from .turn import Turn
from .turn_writer import TurnWriter, write_once

T = TypeVar("T")

logger = logging.getLogger(__name__)

# How many seconds `close` waits for turns that have begun.
GRACE = 5.0
# How many seconds pass before it is tried again to write what could not be written.
RETRY_SECONDS = 1.0


class LogWriter:
    """Writes to the log at `path`. Its methods may be called from any task of one event loop.

    No method but `change` fails because of the database: `status` reports such problems.
    """

    def __init__(self, path: Path, *, grace: float = GRACE) -> None:
        self.spool = Spool(path)
        self.lost: Sequence[str] = ()
        self._path = path
        self._grace = grace
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="log")
        self._file = LogFile(path)
        self._begun_ids: set[str] = set()
        self._finished: deque[tuple[Turn, Future[None]]] = deque()
        self._trouble = asyncio.Event()
        self._problem: str | None = None
        self._announced = (False, False)
        # Only the log's thread uses these. What `begin` computed is kept until the turn is written.
        self._prompts: dict[str, HashedPrompt] = {}
        self._chains = ChainCache()

    @property
    def status(self) -> str:
        "`ok`, or how many turns wait to be written and why (`problems.status`)."
        return problems.status(self._problem, self.spool)

    def problems(self) -> list[str]:
        "What keeps turns from being logged, in sentences without paths."
        return [*problems.sentences(self._path, self._problem, self.spool)]

    @property
    def folder(self) -> Path:
        "Where turns are stored that are not in the database yet."
        return self.spool.folder

    async def open(self) -> None:
        "Writes the turns that an earlier process left in the spool."
        self._loop = asyncio.get_running_loop()
        self._retrying = asyncio.ensure_future(self._retry())
        await self._run(self._recover)

    def check_room(self) -> None:
        "Raises ApiError if a turn that begins now could not be kept."
        if self.spool.is_full:
            problem = f"{self._problem or self.spool.problem}; the memory for turns that wait is full"
            raise log_unavailable(RuntimeError(problem))

    async def begin(self, turn: Turn) -> list[Message]:
        """Puts the turn into the spool. `record` or `forget` must follow.

        Returns its messages, with what the client left out restored from the log (`thread_match`).
        """
        self._begun_ids.add(turn.id)
        return await self._run(lambda: self._begin(turn))

    def record(self, turn: Turn) -> Future[None]:
        """Writes the turn, even if nobody waits for it.

        The result is done when the turn is in the database, or in the spool.
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

    async def change(self, work: Callable[[RedactingStore], T]) -> T:
        """Runs `work` in one transaction with the write lock and returns its result.

        Raises what `work` raises, and ApiError if the log cannot be written: unlike a turn, a change is not
        spooled.
        """
        return await self._run(lambda: self._change(work))

    async def close(self) -> None:
        """Waits until all running turns are recorded, but not longer than the grace period.

        Then it waits until no turn is only in memory, or for a signal, after which these turns are `lost`.
        """
        for _ in range(round(self._grace / 0.01)):
            if not self._begun_ids:
                break
            await asyncio.sleep(0.01)
        self._retrying.cancel()
        await self._run(self._try_patiently)
        if self.spool.in_memory():
            await self._wait_for_room()
        self.lost = self.spool.in_memory()
        if self.lost:
            logger.error(problems.loss_line(self.lost))
        await self._run(self._close)
        self._thread.shutdown()

    async def _wait_for_room(self) -> None:
        "Try to write the turns that are only in memory, until it succeeds or a signal comes."
        with next_signal() as signalled:
            if signalled.is_set():
                return
            logger.error(problems.waiting_line(self._path, self._problem, self.spool))
            while self.spool.in_memory() and not signalled.is_set():
                with suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(signalled.wait(), RETRY_SECONDS)
                await self._run(self._catch_up)

    async def _retry(self) -> None:
        while True:
            await self._trouble.wait()
            self._trouble.clear()
            await asyncio.sleep(RETRY_SECONDS)
            await self._run(self._catch_up)  # sets it again while something cannot be written

    async def _run(self, work: Callable[[], T]) -> T:
        return await asyncio.wrap_future(self._thread.submit(work))

    # The following methods run in the log's thread.

    def _recover(self) -> None:
        self.spool.recover()
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
        self.spool.begin(replace(turn, request=shortened))
        self._announce()
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
            self._report(error)
            for turn in turns:
                self._keep(turn, error)
        else:
            if none_waits:
                self._report_success()
        self._announce()

    def _change(self, work: Callable[[RedactingStore], T]) -> T:
        try:
            log = self._file.opened()
            with write_transaction(log.db.conn):
                return work(log)
        except Exception as error:
            if is_transient(error):
                self._file.close()
                raise log_unavailable(error) from error
            raise

    def _remove(self, turn: Turn) -> None:
        self._prompts.pop(turn.id, None)
        self.spool.remove(turn.id)

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
        if is_transient(error):
            self.spool.keep(turn)
        else:
            self.spool.reject(turn)

    def _try_patiently(self) -> None:
        self._file.set_busy_timeout(BUSY_TIMEOUT)
        self._catch_up()

    def _catch_up(self) -> None:
        self.spool.flush()
        if self._can_write() and self._write_waiting():
            self._report_success()
        self._announce()

    def _can_write(self) -> bool:
        try:
            check_writable(self._file.opened().db.conn, self._path)
            return True
        except Exception as error:
            self._report(error)
            return False

    def _write_waiting(self) -> bool:
        "Writes the waiting turns, oldest first, then those of LLM's commands. Returns whether none is left."
        try:
            for turn in self.spool.waiting():
                self._write_late(turn)
            waiting_turns.write_waiting(self._file.opened(), self._path)
        except Exception as error:
            self._report(error)
            return False
        return True

    def _write_late(self, turn: Turn) -> None:
        log = self._file.opened()
        try:
            with write_transaction(log.db.conn):
                write_once(log, turn)
        except Exception as error:
            if is_transient(error):
                raise
            self._report(error)
            self.spool.set_aside(turn.id)
        else:
            self._remove(turn)

    def _report(self, error: Exception) -> None:
        if not is_transient(error):
            logger.error("A turn could not be logged", exc_info=error)
            return
        self._problem = reason(error)
        # Opened again for the next attempt: SQLite never writes to a file that could not be written at first.
        self._file.close()
        self._file.set_busy_timeout(SHORT_BUSY_TIMEOUT)

    def _report_success(self) -> None:
        self._problem = None
        self._file.set_busy_timeout(BUSY_TIMEOUT)

    def _announce(self) -> None:
        "Print a line if turns go somewhere else than before, and see to it that it is tried again."
        state = (self._problem is not None, self.spool.problem is not None)
        if any(state) or self.spool.in_memory():
            self._loop.call_soon_threadsafe(self._trouble.set)
        if state != self._announced:
            self._announced = state
            logger.log(*problems.destination_line(self._problem, self.spool))

    def _close(self) -> None:
        self._file.close()
        self.spool.close()
