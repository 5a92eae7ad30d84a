"""The files of turns in the folder beside LLM's log, where they are stored until they are in the database.

The API server writes it (`proxy/log/spool_folder.py`), and so do LLM's commands (`waiting_turns`).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from ..file_lock import is_held

# A turn that is in progress, one that has ended, and one that the database will never accept.
BEGUN: Final = ".begun"
ENDED: Final = ".json"
REJECTED: Final = ".rejected"
# A turn of `llm prompt` or `llm chat` (`waiting_turns`).
SHELL: Final = ".shell"
# A file that is being written, a lock, and the request to cancel a turn that is in progress.
DRAFT, LOCK, CANCEL = ".draft", ".lock", ".cancel"


class Entry(NamedTuple):
    """An entry of the folder.

    The names are `TURN.json`, `TURN.rejected` and `TURN.cancel`, and `TURN.OWNER.begun` and
    `TURN.OWNER.draft` for files of the process that holds the lock on `OWNER.lock`. Links are no files.
    """

    name: str
    is_file: bool

    @property
    def suffix(self) -> str:
        return os.path.splitext(self.name)[1]

    @property
    def turn_id(self) -> str:
        return self.name.partition(".")[0]

    @property
    def owner(self) -> str:
        return self.name.split(".")[1]


def entries(folder: Path, *suffixes: str) -> list[Entry]:
    """The entries, the oldest turns first, or only those with one of the suffixes.

    Hidden files, such as those of NFS, are left out.
    """
    try:
        with os.scandir(folder) as found:
            selected = [
                Entry(each.name, each.is_file(follow_symlinks=False))
                for each in found
                if not each.name.startswith(".") and (not suffixes or each.name.endswith(suffixes))
            ]
    except OSError:
        return []
    return sorted(selected)


def is_owned(folder: Path, entry: Entry) -> bool:
    "Whether the process that this entry belongs to still runs."
    return is_held(folder / f"{entry.owner}{LOCK}")


class UnloggedTurns(NamedTuple):
    """The number of turns that wait in a folder, and the names of entries that no server can log.

    Turns that are in progress do not wait. Those of a server that was killed do.
    """

    waiting: int
    unusable: Sequence[str]


def unlogged_turns(folder: Path) -> UnloggedTurns:
    found = entries(folder)
    known = (BEGUN, ENDED, SHELL, DRAFT, LOCK, CANCEL)
    unusable = [entry.name for entry in found if not entry.is_file or entry.suffix not in known]
    files = [entry for entry in found if entry.is_file]
    begun = [entry for entry in files if entry.suffix == BEGUN]
    running = {entry.owner for entry in begun if is_owned(folder, entry)}
    abandoned = sum(entry.owner not in running for entry in begun)
    return UnloggedTurns(abandoned + sum(entry.suffix in (ENDED, SHELL) for entry in files), unusable)
