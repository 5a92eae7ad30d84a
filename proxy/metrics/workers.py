"""Shares the metrics of several workers through files, so that a scrape of any of them shows their sum.

Each worker replaces its own file every `PUBLISH_SECONDS`. The file of a dead worker stays, so that no sum
becomes smaller. prometheus_client can share counters too, but it maps files into memory, and the system kills
a process that writes to such a file on a full disk.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Iterator
from pathlib import Path

from .snapshot import Snapshot

logger = logging.getLogger(__name__)

PUBLISH_SECONDS = 1.0
# A worker is dead if its file is older than this many seconds.
MAX_AGE = 10.0


class WorkerFiles:
    "The files of all workers in `folder`, of which this worker writes one."

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._name = f"{secrets.token_hex(8)}.json"
        self._failed = False

    def publish(self, snapshot: Snapshot) -> None:
        "Write the metrics of this worker for the others."
        draft = self._folder / f"{self._name}.new"
        try:
            draft.write_text(snapshot.to_json(), encoding="utf-8")
            draft.replace(self._folder / self._name)
        except OSError as problem:
            if not self._failed:
                logger.warning("/metrics of other workers lack the numbers of this one: %s", problem)
            self._failed = True
        else:
            self._failed = False

    def others(self) -> Iterator[Snapshot]:
        "Yield the metrics that the other workers wrote last. Those of dead workers have no state."
        for path in sorted(self._folder.glob("*.json")):
            if path.name == self._name:
                continue
            snapshot = Snapshot.from_json(path.read_text(encoding="utf-8"))
            is_alive = time.time() - path.stat().st_mtime < MAX_AGE
            yield snapshot if is_alive else Snapshot(snapshot.counts, ())
