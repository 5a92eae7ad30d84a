"""Writes files into the folder of unlogged turns, each complete when it appears.

A process that writes holds a lock in the folder, and the names of its drafts contain the name of the lock.
The lock is released when the process ends, even if it is killed. Then other processes delete its drafts.
"""

from __future__ import annotations

import os
import secrets
import time
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from ..file_lock import FileLock, acquire
from .unlogged_files import DRAFT, LOCK, entries, is_owned

# What `check` writes. An empty file may fit on a disk that is full.
PROBE = bytes(4096)
# How often a process tries to get its own lock. A process that recovers turns may hold it for a moment.
ATTEMPTS = 20


class OwnedFiles:
    """The files of this process in `folder`, which is created when the first one is written.

    `owner` is the name of the lock, which is held from then until `close`. Methods that write raise OSError
    if the folder cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.owner = secrets.token_hex(8)
        self._lock: FileLock | None = None

    def write(self, turn_id: str, path: str | Path, data: bytes) -> None:
        "Write the file of a turn to `path`. It is private, and replaces a file that is there."
        draft = self._draft(turn_id)
        try:
            self._create(draft, data)
            os.replace(draft, path)
        except OSError:
            with suppress(OSError):
                os.unlink(draft)
            raise

    def check(self) -> None:
        "Raises OSError if the folder cannot be written."
        draft = self._draft(self.owner)
        try:
            self._create(draft, PROBE)
        finally:
            with suppress(OSError):
                os.unlink(draft)

    def close(self) -> None:
        if self._lock:
            self._lock.release()
            self._lock = None

    def _draft(self, turn_id: str) -> str:
        return os.path.join(self.folder, f"{turn_id}.{self.owner}{DRAFT}")

    def _create(self, path: str, data: bytes) -> None:
        self._hold_lock()
        with _open(path) as file:
            file.write(data)

    def _hold_lock(self) -> None:
        "Lock the file of this process, again if somebody deleted it."
        if self._lock and self._lock.is_in_place:
            return
        self.close()
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self.folder / f"{self.owner}{LOCK}"
        try:
            for _ in range(ATTEMPTS):
                self._lock = acquire(path)
                if self._lock:
                    break
                time.sleep(0.001)
        except OSError:  # a file system without locks
            with suppress(OSError):
                path.unlink()


def delete_abandoned(folder: Path) -> None:
    "Delete the drafts and locks of processes that are gone. What cannot be deleted stays."
    for entry in entries(folder, DRAFT, LOCK):
        if entry.is_file:
            with suppress(OSError):
                if entry.suffix == LOCK and (lock := acquire(folder / entry.name)):
                    lock.release()
                elif entry.suffix == DRAFT and not is_owned(folder, entry):
                    (folder / entry.name).unlink()


def _open(path: str) -> BinaryIO:
    return open(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "wb")
