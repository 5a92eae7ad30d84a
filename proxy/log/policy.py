"""Whether a turn is logged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..settings import LogPolicy
from .writer import LogWriter


@dataclass(frozen=True, slots=True)
class TurnLogging:
    """Decides which turns the `writer` logs. `off_file` is the file that `llm logs off` creates.

    The decision can change at any time, since a person may type that command. So it is made when a turn
    begins and again when it ends.
    """

    writer: LogWriter
    policy: LogPolicy
    off_file: Path

    def writer_for(self, headers: Mapping[str, str], *, stored: bool = False) -> LogWriter | None:
        """The writer, or None if turns of a request with these headers are not logged.

        `stored` is whether the client wants the turn stored.
        """
        requested = headers.get("x-llm-log", "on").lower() != "off"
        allowed = self.policy == "all" or (self.policy == "respect-store" and stored)
        return self.writer if requested and allowed and not self.off_file.exists() else None
