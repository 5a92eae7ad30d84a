"""Stores turns that are not in the database yet: a file for each, beside the database, private to its owner.

A turn gets its file when it begins and loses it once it is in the database. After a crash the files are
therefore the turns that were in progress. A turn that the database rejects waits in its file. Each turn has a
file of its own, because several processes share the folder and none has to edit the file of another.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from llm_gpt_oss.log.waiting import unlogged_folder

from .turn import Turn
from .turn_json import from_json, to_json

logger = logging.getLogger(__name__)

# How many turns are kept in memory if the folder cannot be written either.
MAX_IN_MEMORY = 1000
# How many seconds pass between two checks of what another process is doing.
POLL_SECONDS = 0.25


class Spool:
    """The turns beside `database`: `NAME.json` has ended, `NAME.PID.begun` is in progress in process PID.

    All methods raise OSError if the folder cannot be written. `keep` keeps its turn in memory then.
    """

    def __init__(self, database: Path) -> None:
        self._in_memory: dict[str, Turn] = {}
        self.folder = unlogged_folder(database)

    def begin(self, turn: Turn) -> None:
        self._write(self._begun_path(turn), turn)

    def keep(self, turn: Turn) -> None:
        "Stores a turn that has ended, until `remove`."
        try:
            self._write(draft := self.folder / f"{turn.id}.{os.getpid()}.draft", turn)
            draft.replace(self._waiting_path(turn))
            self._begun_path(turn).unlink(missing_ok=True)
        except OSError:
            self._keep_in_memory(turn)
            raise

    def remove(self, turn: Turn) -> None:
        self._in_memory.pop(turn.id, None)
        self._begun_path(turn).unlink(missing_ok=True)
        self._waiting_path(turn).unlink(missing_ok=True)

    def recover(self) -> None:
        """Marks turns left by dead processes as ended.

        If a process may still be running, its turns count as ended too: it overwrites them when they end.
        """
        for path in self.folder.glob("*.begun"):
            # An earlier process had our process id: containers assign the same ids each time they start.
            if _pid(path) == os.getpid() or not _is_running(_pid(path)):
                path.replace(self.folder / f"{path.name.split('.')[0]}.json")

    def __len__(self) -> int:
        return len(self._in_memory) + len(self._waiting_paths())

    def __iter__(self) -> Iterator[Turn]:
        "The turns that have ended, oldest first. Files that cannot be read are renamed to `.rejected`."
        yield from [*self._in_memory.values()]
        for path in self._waiting_paths():
            try:
                yield from_json(path.read_bytes())
            except FileNotFoundError:
                continue  # another process was faster
            except (ValueError, KeyError, TypeError):
                self._rename_rejected(path)

    def find(self, turn_id: str) -> tuple[Turn, bool] | None:
        "A turn that is not in the database yet, and whether it is still in progress, in whatever process."
        return next(self._read(f"{turn_id}.*"), None)

    def attempts(self, idempotency_key: str) -> list[tuple[Turn, bool]]:
        "The turns with this key, in the form that `find` returns."
        return [*self._read("*.*", containing=idempotency_key.encode())]

    def _read(self, pattern: str, containing: bytes = b"") -> Iterator[tuple[Turn, bool]]:
        for path in sorted(self.folder.glob(pattern)):
            try:
                data = path.read_bytes()
                if containing in data:
                    in_progress = path.suffix == ".begun" and _is_running(_pid(path)) is not False
                    yield from_json(data), in_progress
            except (OSError, ValueError, KeyError, TypeError):
                continue

    def reject(self, turn: Turn) -> None:
        "Set aside a turn that the database will never accept, so that it is not tried again."
        self.keep(turn)
        self._in_memory.pop(turn.id, None)
        self._rename_rejected(self._waiting_path(turn))

    def _waiting_paths(self) -> list[Path]:
        "The files of turns that have ended. Called after each turn, for which glob() is too slow."
        try:
            names = os.listdir(self.folder)
        except OSError:
            return []
        return [self.folder / name for name in sorted(names) if name.endswith(".json")]

    def _keep_in_memory(self, turn: Turn) -> None:
        self._in_memory[turn.id] = turn
        if len(self._in_memory) > MAX_IN_MEMORY:
            lost = self._in_memory.pop(next(iter(self._in_memory)))
            logger.error("The turn %s is lost: neither the folder nor the memory had room for it", lost.id)

    def _rename_rejected(self, path: Path) -> None:
        path.replace(path.with_suffix(".rejected"))

    def _begun_path(self, turn: Turn) -> Path:
        return self.folder / f"{turn.id}.{os.getpid()}.begun"

    def _waiting_path(self, turn: Turn) -> Path:
        return self.folder / f"{turn.id}.json"

    def _write(self, path: Path, turn: Turn) -> None:
        data = to_json(turn)
        try:
            file = _create(path)
        except FileNotFoundError:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            file = _create(path)
        with file:
            file.write(data)


def _create(path: Path) -> BinaryIO:
    return open(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "wb")


def _pid(path: Path) -> int:
    return int(path.name.split(".")[1])


def _is_running(pid: int) -> bool | None:
    "Whether a process runs; None if that cannot be determined."
    if os.name != "posix":  # there, signal 0 would end the process
        return None
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
