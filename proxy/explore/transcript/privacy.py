"Reads what the log keeps: how much of which app and key, and in which files."

from __future__ import annotations

import os
import sqlite3
import stat
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from llm_gpt_oss.log.database import unlogged_folder
from llm_gpt_oss.log.secret_patterns import patterns_file
from llm_gpt_oss.log.unlogged_files import unlogged_turns

from ...log.file_access import ENDINGS, is_open_to_others
from ...settings import user_dir

# A turn keeps the body of its request, its answer, and the message that it answers. Long fields that many
# requests repeat are kept once (gpt_oss_field_values).
KEPT = """
select request.turn_id is null as is_shell, request.actor, request.client, count(*) as turns,
    sum(coalesce(request.stored, 0)) as stored, sum(coalesce(request.deleted, 0)) as deleted,
    min(turns.datetime_utc) as first, max(turns.datetime_utc) as last,
    sum(coalesce(length(request.request), 0) + coalesce((
        select sum(coalesce(length(parts.text), 0) + coalesce(length(parts.payload), 0)) from parts
        where parts.message_hash in (turns.tip_message_hash, turns.parent_message_hash)
    ), 0)) as characters
from turns left join gpt_oss_requests as request on request.turn_id = turns.id
where turns.rowid between ? and ?
group by is_shell, request.actor, request.client
"""
RANGE = "select min(rowid) from (select rowid from turns where rowid <= ? order by rowid desc limit ?)"
LAST = "select max(rowid) from turns"
# How many turns one statement counts. A writer may have to wait for a statement.
CHUNK = 2_000
# For how many seconds turns are counted, the latest first, and for how many if a person asks for all of them.
SECONDS = 0.6
ALL_SECONDS = 60.0
# How many apps are shown. A program can send another name with each request.
MAX_APPS = 200


@dataclass(frozen=True, slots=True)
class Kept:
    "What is kept of one app with one key. `app` is its User-Agent. Turns of the shell have neither."

    is_shell: bool
    key: str | None
    app: str | None
    turns: int
    stored: int
    deleted: int
    first: datetime | None
    last: datetime | None
    characters: int

    def with_earlier(self, earlier: Kept) -> Kept:
        return replace(
            self,
            turns=self.turns + earlier.turns,
            stored=self.stored + earlier.stored,
            deleted=self.deleted + earlier.deleted,
            first=earlier.first or self.first,
            last=self.last or earlier.last,
            characters=self.characters + earlier.characters,
        )


@dataclass(frozen=True, slots=True)
class LogFile:
    "`mode` as `ls -l` prints it. `size` is in bytes, None for a folder."

    path: Path
    size: int | None
    mode: str


@dataclass(frozen=True, slots=True)
class Privacy:
    """`counted` is how many of the latest turns `kept` has; None if it has all of them.

    What the expressions in the file `patterns` match is not logged. `has_patterns` is whether it exists.
    """

    kept: Sequence[Kept]
    counted: int | None
    files: Sequence[LogFile]
    is_open_to_others: bool
    waiting: int
    is_logging: bool
    patterns: Path
    has_patterns: bool


def read_privacy(connection: sqlite3.Connection, path: Path, *, count_all: bool = False) -> Privacy:
    kept, counted = _kept(connection, ALL_SECONDS if count_all else SECONDS)
    return Privacy(
        kept=sorted(kept, key=lambda each: -each.turns)[:MAX_APPS],
        counted=counted,
        files=[*_files(path)],
        is_open_to_others=is_open_to_others(path),
        waiting=unlogged_turns(unlogged_folder(path)).waiting,
        is_logging=not (user_dir() / "logs-off").exists(),
        patterns=patterns_file(),
        has_patterns=patterns_file().exists(),
    )


def _kept(connection: sqlite3.Connection, seconds: float) -> tuple[list[Kept], int | None]:
    "Return what is kept of each app, and the number of counted turns, or None if all were counted."
    deadline = time.monotonic() + seconds
    found: dict[tuple[bool, str | None, str | None], Kept] = {}
    (last,) = connection.execute(LAST).fetchone()
    while last is not None:
        (first,) = connection.execute(RANGE, [last, CHUNK]).fetchone()
        if first is None:
            break
        for row in connection.execute(KEPT, [first, last]):
            kept = _to_kept(*row)
            key = kept.is_shell, kept.key, kept.app
            found[key] = found[key].with_earlier(kept) if key in found else kept
        last = first - 1
        if time.monotonic() >= deadline and connection.execute(RANGE, [last, 1]).fetchone()[0] is not None:
            return [*found.values()], sum(kept.turns for kept in found.values())
    return [*found.values()], None


def _to_kept(is_shell: int, key: str | None, app: str | None, *counts: Any) -> Kept:
    turns, stored, deleted, first, last, characters = counts
    return Kept(bool(is_shell), key, app, turns, stored, deleted, _time(first), _time(last), characters)


def _time(text: str | None) -> datetime | None:
    try:
        return datetime.fromisoformat(text).astimezone() if text else None
    except ValueError:
        return None


def _files(path: Path) -> Iterator[LogFile]:
    target = path.resolve()
    for file in (*(target.with_name(f"{target.name}{ending}") for ending in ENDINGS), unlogged_folder(path)):
        try:
            status = os.stat(file)
        except OSError:
            continue
        size = None if stat.S_ISDIR(status.st_mode) else status.st_size
        yield LogFile(file, size, stat.filemode(status.st_mode))
