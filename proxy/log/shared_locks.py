"""Locks with names, which all processes of a server share."""

from __future__ import annotations

from hashlib import blake2b
from pathlib import Path

from llm_gpt_oss import file_lock
from llm_gpt_oss.file_lock import FileLock


class SharedLock:
    "A lock that `SharedLocks.acquire` returned. It is held until `release`, or until the process ends."

    def __init__(self, name: str, names: set[str], file: FileLock | None) -> None:
        self._name = name
        self._names = names
        self._file = file
        self._held = True
        names.add(name)

    def release(self) -> None:
        "Release the lock. Further calls have no effect."
        if not self._held:
            return
        self._held = False
        self._names.discard(self._name)
        if self._file:
            self._file.release()


class SharedLocks:
    """Locks of one `kind`. Each is a file in `folder`, the log's spool folder, which all processes share.

    Where no file can be locked, a lock holds in this process only.
    """

    def __init__(self, folder: Path, kind: str) -> None:
        self._folder = folder
        self._kind = kind
        self._names: set[str] = set()

    def acquire(self, name: str) -> SharedLock | None:
        "Return the lock, or None if it is held, in whatever process."
        if name in self._names:
            return None
        # Hashed, since a name may be any text.
        digest = blake2b(name.encode(), digest_size=16).hexdigest()
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            file = file_lock.acquire(self._folder / f"{self._kind}-{digest}.lock")
        except OSError:
            return SharedLock(name, self._names, None)
        return SharedLock(name, self._names, file) if file else None
