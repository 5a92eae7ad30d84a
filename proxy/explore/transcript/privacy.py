"What the log keeps, of whom, and in which files."

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from datasette.utils import sqlite_timelimit

from llm_gpt_oss.log.unlogged import unlogged_folder, unlogged_turns

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
from (
    select id, tip_message_hash, parent_message_hash, datetime_utc from turns order by rowid desc limit ?
) as turns
left join gpt_oss_requests as request on request.turn_id = turns.id
group by is_shell, request.actor, request.client
order by turns desc
limit 100
"""
ALL = -1
# How many milliseconds all turns may be counted. If that is not enough, the latest ones are.
TIME_LIMIT = 600
LATEST_TURNS = 2_000


@dataclass(frozen=True, slots=True)
class Kept:
    "What is kept of one app with one key. `app` is its User-Agent. A turn of the shell has neither."

    is_shell: bool
    key: str | None
    app: str | None
    turns: int
    stored: int
    deleted: int
    first: datetime | None
    last: datetime | None
    characters: int


@dataclass(frozen=True, slots=True)
class LogFile:
    "`mode` as `ls -l` prints it. `size` is in bytes, None for a folder."

    path: Path
    size: int | None
    mode: str


@dataclass(frozen=True, slots=True)
class Privacy:
    "`counted` is how many of the latest turns `kept` has; None if it has all of them."

    kept: Sequence[Kept]
    counted: int | None
    files: Sequence[LogFile]
    is_open_to_others: bool
    waiting: int
    is_logging: bool


def read_privacy(connection: sqlite3.Connection, path: Path) -> Privacy:
    kept, counted = _kept(connection)
    return Privacy(
        kept=kept,
        counted=counted,
        files=[*_files(path)],
        is_open_to_others=is_open_to_others(path),
        waiting=unlogged_turns(unlogged_folder(path)).waiting,
        is_logging=not (user_dir() / "logs-off").exists(),
    )


def _kept(connection: sqlite3.Connection) -> tuple[list[Kept], int | None]:
    try:
        with sqlite_timelimit(connection, TIME_LIMIT):
            return _read_kept(connection, ALL), None
    except sqlite3.OperationalError as error:
        if error.args != ("interrupted",):
            raise
        return _read_kept(connection, LATEST_TURNS), LATEST_TURNS


def _read_kept(connection: sqlite3.Connection, limit: int) -> list[Kept]:
    return [_to_kept(*row) for row in connection.execute(KEPT, [limit])]


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
