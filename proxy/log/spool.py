"""Stores turns that are not in the database yet: in a folder beside it, or in memory if that is unwritable.

A turn is stored when it begins, and removed once it is in the database. After a crash the folder therefore
has the turns that were in progress. A turn that the database rejects waits there, too.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from llm_gpt_oss.log.database import unlogged_folder
from llm_gpt_oss.log.unlogged_files import BEGUN, ENDED, REJECTED, unlogged_turns

from .spool_folder import SpoolFolder, State, TurnFile
from .turn import Turn
from .turn_json import from_json, to_json

logger = logging.getLogger(__name__)

# How many bytes of turns are kept in memory before no more requests are accepted.
MAX_IN_MEMORY = 256 * 1024 * 1024
# How many seconds pass between two checks of what another process is doing.
POLL_SECONDS = 0.25


class _TurnInMemory(NamedTuple):
    state: State
    data: bytes


class SpoolState(NamedTuple):
    """`waiting` turns have ended, and `in_memory` of them are stored nowhere else.

    `unusable` are the entries of the folder that cannot be logged.
    """

    waiting: int
    in_memory: int
    unusable: Sequence[str]


class Spool:
    """The turns of `database` that are not in it yet.

    `problem` is why the folder could not be written the last time. One thread writes. Others may read
    meanwhile: a turn appears at its next place before it disappears from the last.
    """

    def __init__(self, database: Path) -> None:
        self.folder = unlogged_folder(database)
        self.problem: str | None = None
        self._files = SpoolFolder(self.folder)
        self._memory: dict[str, _TurnInMemory] = {}
        # Turns that were removed, but whose files could not be deleted.
        self._removed: set[str] = set()
        self._unreadable: dict[str, str] = {}

    def begin(self, turn: Turn) -> None:
        "Store a turn that is in progress, until `keep` or `remove`."
        self._store(turn, BEGUN)

    def keep(self, turn: Turn) -> None:
        "Store a turn that has ended, until `remove`."
        self._store(turn, ENDED)

    def reject(self, turn: Turn) -> None:
        "Set aside a turn that the database will never accept, so that it is not tried again."
        self._store(turn, REJECTED)

    def set_aside(self, turn_id: str) -> None:
        "Like `reject`, for a turn that waits. What it was read from is kept as it is."
        if in_memory := self._memory.get(turn_id):
            self._memory[turn_id] = _TurnInMemory(REJECTED, in_memory.data)
            self.flush()
            return
        try:
            self._files.set_aside(turn_id)
        except OSError as error:
            self._unreadable[turn_id] = reason(error)

    def remove(self, turn_id: str) -> None:
        self._memory.pop(turn_id, None)
        try:
            self._files.remove(turn_id)
        except OSError as error:
            self.problem = reason(error)
            if self._files.has(turn_id):
                self._removed.add(turn_id)

    def flush(self) -> None:
        "Move the turns in memory to the folder as far as it can be written, the smallest first."
        self.problem, earlier = None, self.problem
        for turn_id, (state, data) in sorted(self._memory.items(), key=lambda item: len(item[1].data)):
            with self._noticing_problems():
                self._files.write(turn_id, state, data)
                del self._memory[turn_id]
        for turn_id in [*self._removed]:
            with self._noticing_problems():
                self._files.remove(turn_id)
                self._removed.discard(turn_id)
        if earlier and not self.problem:
            with self._noticing_problems():
                self._files.check()

    def recover(self) -> None:
        "Mark the turns of processes that are gone as ended (`SpoolFolder.recover`)."
        with self._noticing_problems():
            self._files.recover()

    def waiting(self) -> Iterator[Turn]:
        "The turns that have ended, oldest first. Files that are no turns are renamed to `.rejected`."
        self._unreadable.clear()
        for turn_id in sorted({*self._ended_in_memory(), *self._files.waiting()} - self._removed):
            if turn := self._load(turn_id):
                yield turn

    def find(self, turn_id: str) -> tuple[Turn, bool] | None:
        "A turn that is not in the database yet, and whether it is still in progress, in whatever process."
        in_memory = self._memory.get(turn_id)
        file = _as_file(in_memory) if in_memory else self._files.find(turn_id)
        turn = _parse(file.data) if file else None
        return (turn, file.in_progress) if file and turn else None

    def attempts(self, idempotency_key: str) -> list[tuple[Turn, bool]]:
        "The turns with this key, in the form that `find` returns."
        key = idempotency_key.encode()
        files = [*map(_as_file, [*self._memory.values()]), *self._files.all_turns()]
        found = [(_parse(file.data), file.in_progress) for file in files if key in file.data]
        return [
            (turn, in_progress)
            for turn, in_progress in found
            if turn and turn.request.idempotency_key == idempotency_key
        ]

    def state(self) -> SpoolState:
        stored = unlogged_turns(self.folder)
        in_memory = len(self.in_memory())
        waiting = stored.waiting + len(self._ended_in_memory()) - len(self._removed)
        unreadable = [f"{turn_id}{ENDED} ({error})" for turn_id, error in self._unreadable.items()]
        return SpoolState(max(0, waiting), in_memory, [*stored.unusable, *unreadable])

    def in_memory(self) -> list[str]:
        "The ids of the turns that have ended and are stored nowhere else."
        return [turn_id for turn_id, turn in [*self._memory.items()] if turn.state != BEGUN]

    @property
    def is_full(self) -> bool:
        "Whether the memory has no room for more turns."
        return sum(len(turn.data) for turn in [*self._memory.values()]) >= MAX_IN_MEMORY

    def close(self) -> None:
        self._files.close()

    def _store(self, turn: Turn, state: State) -> None:
        self._removed.discard(turn.id)
        self._memory[turn.id] = _TurnInMemory(state, to_json(turn))
        self.flush()

    @contextmanager
    def _noticing_problems(self) -> Iterator[None]:
        "One file that cannot be written holds up no other one."
        try:
            yield
        except OSError as error:
            self.problem = reason(error)

    def _ended_in_memory(self) -> list[str]:
        return [turn_id for turn_id, turn in [*self._memory.items()] if turn.state == ENDED]

    def _load(self, turn_id: str) -> Turn | None:
        if in_memory := self._memory.get(turn_id):
            return _parse(in_memory.data)
        try:
            turn = _parse(self._files.read(turn_id))
            if turn and turn.id == turn_id:
                return turn
            self._files.set_aside(turn_id)
            logger.error(
                "%s%s in %s is not a turn. It was renamed to %s.", turn_id, ENDED, self.folder, REJECTED
            )
        except FileNotFoundError:
            pass  # another process was faster
        except OSError as error:
            self._unreadable[turn_id] = reason(error)
        return None


def reason(error: Exception) -> str:
    "What went wrong, without the path, which clients need not know."
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _as_file(turn: _TurnInMemory) -> TurnFile:
    return TurnFile(turn.data, turn.state == BEGUN)


def _parse(data: bytes) -> Turn | None:
    try:
        return from_json(data)
    except Exception:  # whatever somebody may have put there
        return None
