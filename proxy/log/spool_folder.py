"""The spool's files: one for each turn, private to their owner, in a folder that several processes share.

Each process holds a lock in the folder, and the files of its turns that are in progress have the name of this
lock. When the process ends, however it ends, the lock is free, and these turns are not in progress any more.
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Literal, NamedTuple

from llm_gpt_oss.file_lock import FileLock, acquire
from llm_gpt_oss.log.unlogged import BEGUN, CANCEL, DRAFT, ENDED, LOCK, REJECTED, Entry, entries, is_owned

State = Literal[".begun", ".json", ".rejected"]
# A disk that has room for an empty file may have none for a turn.
PROBE = bytes(4096)
# How often a process tries to get its own lock, which another one that recovers may hold for a moment.
ATTEMPTS = 20


class TurnFile(NamedTuple):
    "A turn as JSON, and whether it is in progress."

    data: bytes
    in_progress: bool


class SpoolFolder:
    """The folder at `path`, which is created when the first turn is written.

    Methods that write raise OSError if it cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._owner = secrets.token_hex(8)
        self._lock: FileLock | None = None

    def write(self, turn_id: str, state: State, data: bytes) -> None:
        "Write a turn, which is complete when it appears. It replaces the file that the turn had before."
        draft = self._draft(turn_id)
        try:
            self._create(draft, data)
            draft.replace(self._path(turn_id, state))
        except OSError:
            with suppress(OSError):
                draft.unlink()
            raise
        self.remove(turn_id, keep=state)

    def remove(self, turn_id: str, *, keep: State | None = None) -> None:
        "Delete the files of a turn, except for the one in a state."
        for state in (BEGUN, ENDED):
            if state != keep:
                self._path(turn_id, state).unlink(missing_ok=True)

    def has(self, turn_id: str) -> bool:
        return any(os.path.exists(self._path(turn_id, state)) for state in (BEGUN, ENDED))

    def check(self) -> None:
        "Raises OSError if the folder cannot be written."
        draft = self._draft(self._owner)
        try:
            self._create(draft, PROBE)
        finally:
            with suppress(OSError):
                draft.unlink()

    def recover(self) -> None:
        """Mark the turns of processes that are gone as ended, and delete their other files.

        Where files cannot be locked, all processes count as gone. They overwrite their turns when those end.
        """
        found = [entry for entry in entries(self.path) if entry.is_file]
        for entry in found:
            if entry.suffix == BEGUN and not is_owned(self.path, entry):
                self._end(entry)
            elif entry.suffix == DRAFT and not is_owned(self.path, entry):
                (self.path / entry.name).unlink(missing_ok=True)
            elif entry.suffix == LOCK and (lock := acquire(self.path / entry.name)):
                lock.release()
        in_progress = {entry.turn_id for entry in entries(self.path, BEGUN)}
        for entry in found:
            if entry.suffix == CANCEL and entry.turn_id not in in_progress:
                (self.path / entry.name).unlink(missing_ok=True)

    def waiting(self) -> list[str]:
        "The ids of the turns that have ended, oldest first."
        return [entry.name.removesuffix(ENDED) for entry in entries(self.path, ENDED) if entry.is_file]

    def read(self, turn_id: str) -> bytes:
        "The file of a turn that has ended. Raises OSError."
        return self._path(turn_id, ENDED).read_bytes()

    def set_aside(self, turn_id: str) -> None:
        "Rename the file of a turn that has ended, so that it is not tried again."
        self._path(turn_id, ENDED).replace(self._path(turn_id, REJECTED))

    def find(self, turn_id: str) -> TurnFile | None:
        "The file of a turn in any state, of whatever process."
        return self._find(turn_id, entries(self.path, BEGUN))

    def all_turns(self) -> Iterator[TurnFile]:
        found = [entry for entry in entries(self.path, BEGUN, ENDED, REJECTED) if entry.is_file]
        for turn_id in dict.fromkeys(entry.turn_id for entry in found):
            if file := self._find(turn_id, found):
                yield file

    def close(self) -> None:
        "Release the lock. Turns that are in progress are not any more."
        if self._lock:
            self._lock.release()
            self._lock = None

    def _find(self, turn_id: str, found: Sequence[Entry]) -> TurnFile | None:
        begun = [entry for entry in found if entry.turn_id == turn_id and entry.suffix == BEGUN]
        ended = self._path(turn_id, ENDED)
        if file := _read(ended, in_progress=False):
            return file
        for entry in begun:
            if file := _read(self.path / entry.name, in_progress=is_owned(self.path, entry)):
                return file
        # It may have ended since the first look.
        return _read(ended, in_progress=False) or _read(self._path(turn_id, REJECTED), in_progress=False)

    def _end(self, entry: Entry) -> None:
        begun, ended = self.path / entry.name, self._path(entry.turn_id, ENDED)
        with suppress(FileNotFoundError):  # another process recovers, too
            if ended.exists():  # its process was killed between the two steps of `write`
                begun.unlink()
            else:
                begun.replace(ended)

    def _path(self, turn_id: str, state: State) -> Path:
        return self.path / (f"{turn_id}.{self._owner}{BEGUN}" if state == BEGUN else f"{turn_id}{state}")

    def _draft(self, turn_id: str) -> Path:
        return self.path / f"{turn_id}.{self._owner}{DRAFT}"

    def _create(self, path: Path, data: bytes) -> None:
        self._hold_lock()
        with _open(path) as file:
            file.write(data)

    def _hold_lock(self) -> None:
        "Lock the file of this process, again if somebody deleted it."
        if self._lock and self._lock.is_in_place:
            return
        self.close()
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        with suppress(OSError):  # a file system without locks
            for _ in range(ATTEMPTS):
                self._lock = acquire(self.path / f"{self._owner}{LOCK}")
                if self._lock:
                    break
                time.sleep(0.001)


def _open(path: Path) -> BinaryIO:
    return open(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "wb")


def _read(path: Path, *, in_progress: bool) -> TurnFile | None:
    try:
        return TurnFile(path.read_bytes(), in_progress) if path.is_file() else None
    except OSError:
        return None
