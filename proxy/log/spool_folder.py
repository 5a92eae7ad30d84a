"""The spool's files: one for each turn, private to their owner, in a folder that several processes share.

Each process holds a lock in the folder (`llm_gpt_oss/log/owned_files.py`), which is free when the process
ends, however it ends. The files of its turns that are in progress have the name of this lock: then they are
not in progress any more.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Literal, NamedTuple

from llm_gpt_oss.log.owned_files import OwnedFiles, delete_abandoned
from llm_gpt_oss.log.unlogged_files import BEGUN, CANCEL, ENDED, REJECTED, Entry, entries, is_owned

State = Literal[".begun", ".json", ".rejected"]


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
        self._own_files = OwnedFiles(path)

    def write(self, turn_id: str, state: State, data: bytes) -> None:
        "Write a turn, which is complete when it appears. It replaces the file that the turn had before."
        self._own_files.write(turn_id, self._path(turn_id, state), data)
        self.remove(turn_id, keep=state)

    def remove(self, turn_id: str, *, keep: State | None = None) -> None:
        "Delete the files of a turn, except for the one in a state."
        for state in (BEGUN, ENDED):
            if state != keep:
                with suppress(FileNotFoundError):
                    os.unlink(self._path(turn_id, state))

    def has(self, turn_id: str) -> bool:
        return any(os.path.exists(self._path(turn_id, state)) for state in (BEGUN, ENDED))

    def check(self) -> None:
        "Raises OSError if the folder cannot be written."
        self._own_files.check()

    def recover(self) -> None:
        """Mark the turns of processes that are gone as ended, and delete their other files.

        Where files cannot be locked, all processes count as gone. They overwrite their turns when those end.
        A file that cannot be renamed holds up no other one.
        """
        found = [entry for entry in entries(self.path) if entry.is_file]
        problem: OSError | None = None
        for entry in found:
            try:
                if entry.suffix == BEGUN and not is_owned(self.path, entry):
                    self._end(entry)
            except OSError as error:
                problem = error
        delete_abandoned(self.path)
        in_progress = {entry.turn_id for entry in entries(self.path, BEGUN)}
        for entry in found:
            if entry.suffix == CANCEL and entry.turn_id not in in_progress:
                with suppress(OSError):
                    (self.path / entry.name).unlink()
        if problem:
            raise problem

    def waiting(self) -> list[str]:
        "The ids of the turns that have ended, oldest first."
        return [entry.name.removesuffix(ENDED) for entry in entries(self.path, ENDED) if entry.is_file]

    def read(self, turn_id: str) -> bytes:
        "The file of a turn that has ended. Raises OSError."
        return Path(self._path(turn_id, ENDED)).read_bytes()

    def set_aside(self, turn_id: str) -> None:
        "Rename the file of a turn that has ended, so that it is not tried again."
        os.replace(self._path(turn_id, ENDED), self._path(turn_id, REJECTED))

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
        self._own_files.close()

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
            if os.path.isfile(ended):  # its process was killed between the two steps of `write`
                begun.unlink()
            else:
                begun.replace(ended)

    def _path(self, turn_id: str, state: State) -> str:
        # Not with pathlib, which takes as long for the names of a turn's files as the system for the files.
        owner = f".{self._own_files.owner}" if state == BEGUN else ""
        return os.path.join(self.path, f"{turn_id}{owner}{state}")


def _read(path: str | Path, *, in_progress: bool) -> TurnFile | None:
    try:
        return TurnFile(Path(path).read_bytes(), in_progress) if os.path.isfile(path) else None
    except OSError:
        return None
