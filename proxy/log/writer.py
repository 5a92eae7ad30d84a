"""The log: written by one thread, and never in the way of an answer.

A turn is a file in the spool from its beginning until it is in the database (`spool`). So a database that is
locked, full or gone costs nothing but time: what waits is written with the next turn that can be, when the
server stops, and when it starts again.
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

from ..http.errors import log_unavailable
from . import tables
from .database import BUSY_TIMEOUT, SHORT_BUSY_TIMEOUT, LogFile, is_transient, write_transaction
from .spool import Spool
from .thread_match import HashedPrompt, ThreadMatcher
from .turn import UNFINISHED, Turn
from .turn_writer import TurnWriter

T = TypeVar("T")

logger = logging.getLogger(__name__)

# How long `close` waits for turns that have begun.
GRACE = 5.0


class LogWriter:
    """The log at `path`. Its methods may be called from any task of one event loop.

    No method fails for what is wrong with the database: `state` tells of it.
    """

    def __init__(self, path: Path, *, grace: float = GRACE) -> None:
        self._grace = grace
        self._spool = Spool(path)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="log")
        self._file = LogFile(path)
        self._problem: str | None = None
        self._waiting = 0
        self._under_way: set[str] = set()
        # What `begin` computed, until the turn is written. Only the log's thread uses it.
        self._prompts: dict[str, HashedPrompt] = {}
        self._over: deque[tuple[Turn, Future[None]]] = deque()

    @property
    def status(self) -> str:
        "`ok`; `behind N`, while N turns wait to be written; with the reason, where they cannot be."
        behind = f"behind {self._waiting}" if self._waiting else "ok"
        return f"{behind}, spooling: {self._problem}" if self._problem else behind

    @property
    def folder(self) -> Path:
        "Where turns wait that are not in the log yet."
        return self._spool.folder

    async def open(self) -> None:
        "Logs what an earlier process left."
        await self._run(self._recover)

    async def begin(self, turn: Turn) -> list[Message]:
        "The turn's messages with what the client left out put back (`threads`). `record` must follow."
        self._under_way.add(turn.id)
        return await self._run(lambda: self._begin(turn))

    def record(self, turn: Turn) -> Future[None]:
        "Done when the turn is where it cannot be lost. It will be, even if nobody waits for it."
        recorded: Future[None] = Future()
        recorded.set_running_or_notify_cancel()  # from here on it cannot be cancelled
        self._over.append((turn, recorded))
        self._thread.submit(self._record_all)
        self._under_way.discard(turn.id)
        return recorded

    def forget(self, turn: Turn) -> None:
        "In place of `record`, where the turn is not to be logged after all."
        self._thread.submit(self._forget, turn)
        self._under_way.discard(turn.id)

    async def change(self, work: Callable[[LogStore], T]) -> T:
        """What `work` comes to, in one transaction with the write lock.

        Raises what it raises; ApiError where the log cannot be written: unlike a turn, a change does not
        wait.
        """
        return await self._run(lambda: self._change(work))

    async def close(self) -> None:
        "Once the turns that have begun are recorded, or a while after that was asked for."
        for _ in range(round(self._grace / 0.01)):
            if not self._under_way:
                break
            await asyncio.sleep(0.01)
        await self._run(self._close)
        self._thread.shutdown()

    async def _run(self, work: Callable[[], T]) -> T:
        return await asyncio.wrap_future(self._thread.submit(work))

    # On the log's own thread.

    def _recover(self) -> None:
        with suppress(OSError):
            self._spool.recover()
        self._catch_up()

    def _begin(self, turn: Turn) -> list[Message]:
        request = turn.request
        messages, shortened = turn.prompt, request
        try:
            matcher = ThreadMatcher(self._file.opened())
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
        "Turns that ended meanwhile share a transaction: to end one takes longer than to write a turn."
        over = [self._over.popleft() for _ in range(len(self._over))]
        if not over:
            return
        try:
            self._record([turn for turn, _ in over])
        except BaseException as error:
            for _, recorded in over:
                recorded.set_exception(error)
            raise
        for _, recorded in over:
            recorded.set_result(None)

    def _record(self, turns: Sequence[Turn]) -> None:
        # Those that wait come first: they may go on from one of them.
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
                self._recovered()
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

    def _forget(self, turn: Turn) -> None:
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
            self._forget(turn)

    def _keep(self, turn: Turn, error: Exception) -> None:
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
            self._recovered()
        self._count()

    def _write_waiting(self) -> bool:
        "Writes what waits, oldest first, as far as that goes; whether that is to the end."
        try:
            for turn in self._spool:
                self._late(turn)
            self._file.opened()
        except Exception as error:
            self._report(error)
            return False
        return True

    def _late(self, turn: Turn) -> None:
        connection = self._file.opened().db.conn
        if turn.request.status == UNFINISHED and tables.has_request(connection, turn.id):
            self._spool.remove(turn)  # it had been written just before the process was gone
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
        self._file.wait(SHORT_BUSY_TIMEOUT)

    def _recovered(self) -> None:
        if self._problem is not None:
            logger.warning("Turns are logged again")
            self._problem = None
            self._file.wait(BUSY_TIMEOUT)

    def _count(self) -> None:
        self._waiting = len(self._spool)

    def _close(self) -> None:
        self._file.wait(BUSY_TIMEOUT)
        self._catch_up()
        self._file.close()
