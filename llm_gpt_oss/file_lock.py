"""Locks on files, which the operating system releases when their process ends, however it ends.

A process id would not do: after a crash it may belong to another process, and in a container it always does.
The package `filelock` has no way to look at a lock without taking it, and falls back to process ids where a
file system has no locks.
"""

from __future__ import annotations

import errno
import os
import sys
from contextlib import suppress
from pathlib import Path

if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int, *, shared: bool) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _lock(descriptor: int, *, shared: bool) -> None:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)


# What the operating systems report if another holds the lock.
HELD = (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES, errno.EDEADLK)


class FileLock:
    "A lock that `acquire` returned. It is held until `release`, or until the process ends."

    def __init__(self, path: Path, descriptor: int) -> None:
        self._path = path
        self._descriptor = descriptor

    @property
    def is_in_place(self) -> bool:
        "Whether the file is still at its path, so that others see the lock."
        try:
            return os.path.samestat(os.stat(self._path), os.fstat(self._descriptor))
        except OSError:
            return False

    def release(self) -> None:
        "Delete the file and release the lock. It is deleted first, so that nobody's new lock is deleted."
        if (
            sys.platform == "win32"
        ):  # an open file cannot be deleted there, and one that others have open neither
            os.close(self._descriptor)
            with suppress(OSError):
                self._path.unlink()
            return
        if self.is_in_place:
            with suppress(OSError):
                self._path.unlink()
        os.close(self._descriptor)


def acquire(path: Path) -> FileLock | None:
    """Lock the file at `path`, which is created if it does not exist. Return None if the lock is held.

    A lock is also held if this process holds it. Raises OSError if the file cannot be created or locked.
    """
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            _lock(descriptor, shared=False)
        except OSError as error:
            os.close(descriptor)
            if error.errno in HELD:
                return None
            raise
        lock = FileLock(path, descriptor)
        if lock.is_in_place:
            return lock
        os.close(descriptor)  # its holder deleted the file between the two calls


def is_held(path: Path) -> bool:
    "Whether somebody holds the lock at `path`. Nobody does where files cannot be locked."
    try:
        descriptor = os.open(path, os.O_RDWR)
    except OSError:
        return False
    try:
        _lock(descriptor, shared=True)
    except OSError as error:
        return error.errno in HELD
    finally:
        os.close(descriptor)
    return False
