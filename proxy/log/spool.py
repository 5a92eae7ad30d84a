"""Turns that are not in the log yet: one file each, beside the database, for its owner's eyes only.

A turn gets its file when it begins and loses it once it is in the log. So what is left after a crash is what
was under way; and a turn that the database would not take waits there until it does. One file a turn, and not
lines of one file, since several processes share the folder: nothing is ever appended to or cut out.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from .turn import Turn
from .turn_json import from_json, to_json

logger = logging.getLogger(__name__)

# Turns that are held in memory where the folder cannot be written either.
MAX_IN_MEMORY = 1000
# Seconds between two looks at what another process is doing.
POLL_SECONDS = 0.25


class Spool:
    """`NAME.json` is a turn that is over, `NAME.PID.begun` one that process PID has under way.

    All methods raise OSError where the folder cannot be written. A turn to be kept is then held in memory.
    """

    def __init__(self, database: Path) -> None:
        self._held: dict[str, Turn] = {}
        self.folder = database.with_name(f"{database.name}-unlogged")

    def begin(self, turn: Turn) -> None:
        self._write(self._begun(turn), turn)

    def keep(self, turn: Turn) -> None:
        "A turn that is over, until `remove`."
        try:
            self._write(draft := self.folder / f"{turn.id}.{os.getpid()}.draft", turn)
            draft.replace(self._kept(turn))
            self._begun(turn).unlink(missing_ok=True)
        except OSError:
            self._hold(turn)
            raise

    def remove(self, turn: Turn) -> None:
        self._held.pop(turn.id, None)
        self._begun(turn).unlink(missing_ok=True)
        self._kept(turn).unlink(missing_ok=True)

    def recover(self) -> None:
        """Takes what processes that are gone had under way for over, and so what no process can be told of: a
        turn that is taken for over too early is written anew when it ends."""
        for begun in self.folder.glob("*.begun"):
            # One with our own number was of a process before us: containers start with the same one again.
            if _pid(begun) == os.getpid() or not _alive(_pid(begun)):
                begun.replace(self.folder / f"{begun.name.split('.')[0]}.json")

    def __len__(self) -> int:
        return len(self._held) + len(self._waiting())

    def __iter__(self) -> Iterator[Turn]:
        "Those that are over, oldest first. What cannot be read is put aside."
        yield from [*self._held.values()]
        for path in self._waiting():
            try:
                yield from_json(path.read_text(encoding="utf-8"))
            except FileNotFoundError:
                continue  # another process was faster
            except (ValueError, KeyError, TypeError):
                self._aside(path)

    def find(self, turn_id: str) -> tuple[Turn, bool] | None:
        "A turn that is not in the log yet, and whether it is still under way, in whatever process."
        return next(self._read(f"{turn_id}.*"), None)

    def attempts(self, idempotency_key: str) -> list[tuple[Turn, bool]]:
        "Those that were asked for under this key, as `find` has them."
        return [*self._read("*.*", holding=idempotency_key)]

    def _read(self, names: str, holding: str = "") -> Iterator[tuple[Turn, bool]]:
        for path in sorted(self.folder.glob(names)):
            try:
                text = path.read_text(encoding="utf-8")
                if holding in text:
                    yield from_json(text), path.suffix == ".begun" and _alive(_pid(path)) is not False
            except (OSError, ValueError, KeyError, TypeError):
                continue

    def reject(self, turn: Turn) -> None:
        "Puts aside what the log will never take."
        self.keep(turn)
        self._held.pop(turn.id, None)
        self._aside(self._kept(turn))

    def _waiting(self) -> list[Path]:
        "Looked for after each turn. Not by glob(), which takes longer than the rest of that."
        try:
            names = os.listdir(self.folder)
        except OSError:
            return []
        return [self.folder / name for name in sorted(names) if name.endswith(".json")]

    def _hold(self, turn: Turn) -> None:
        self._held[turn.id] = turn
        if len(self._held) > MAX_IN_MEMORY:
            lost = self._held.pop(next(iter(self._held)))
            logger.error("The turn %s is lost: there was no place left to keep it", lost.id)

    def _aside(self, path: Path) -> None:
        path.replace(path.with_suffix(".rejected"))

    def _begun(self, turn: Turn) -> Path:
        return self.folder / f"{turn.id}.{os.getpid()}.begun"

    def _kept(self, turn: Turn) -> Path:
        return self.folder / f"{turn.id}.json"

    def _write(self, path: Path, turn: Turn) -> None:
        data = to_json(turn)
        try:
            file = _created(path)
        except FileNotFoundError:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            file = _created(path)
        with file:
            file.write(data)


def _created(path: Path) -> BinaryIO:
    return open(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "wb")


def _pid(begun: Path) -> int:
    return int(begun.name.split(".")[1])


def _alive(pid: int) -> bool | None:
    "None where it cannot be told."
    if os.name != "posix":  # there, signal 0 would end the process
        return None
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
