"""Which programs have locked a database. SQLite itself only says that one has."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

LOCKS = Path("/proc/locks")
# SQLite locks the database, or this file beside it in WAL mode: https://www.sqlite.org/walformat.html#wal_locks
SUFFIXES = ("", "-shm")


def lock_holders(database: Path) -> list[str]:
    """Return the programs that hold a write lock, as in `sqlite3 (process 708)`.

    It is empty where the system does not tell: Linux lists the locks of processes that this one may see.
    """
    holders = {pid: _name(pid) for pid, inode in _write_locks() if inode in {*_inodes(database)}}
    return [f"{name} (process {pid})" for pid, name in holders.items() if pid != os.getpid()]


def _write_locks() -> Iterator[tuple[int, int]]:
    "The process and the inode of each lock. https://man7.org/linux/man-pages/man5/proc_locks.5.html"
    with suppress(OSError):
        for line in LOCKS.read_text().splitlines():
            match line.split():
                case [_, "POSIX", _, "WRITE", pid, file, *_]:
                    yield int(pid), int(file.split(":")[2])


def _inodes(database: Path) -> Iterator[int]:
    for suffix in SUFFIXES:
        with suppress(OSError):
            yield database.with_name(database.name + suffix).stat().st_ino


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return "another program"
