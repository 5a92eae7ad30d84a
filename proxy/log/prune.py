"""Deletes turns and threads from llm's log for good. The API only marks them as deleted."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from sqlite_utils.db import quote_identifier

from llm_gpt_oss.errors import GptOssError
from llm_gpt_oss.log.database import write_transaction
from llm_gpt_oss.setup.progress import Progress, Report

from .prune_selection import PruneSelection, Rows, select_rows
from .whole_log import opened_log

# Turns to delete whose messages stay, because others need them.
SHARED = """
select count(*) from turns where id in temp.gone_turns and tip_message_hash not in temp.gone_messages
"""
KEPT_BY_CONVERSATIONS = "select count(*) from temp.held"
DELETED_WITH_THREAD = """
select count(*) from turns left join gpt_oss_requests as request on request.turn_id = turns.id
where turns.thread_id in temp.released and not coalesce(request.deleted, 0)
"""
LEGACY = "select count(*) from responses where id in temp.gone_turns or conversation_id in temp.gone_threads"
MOVE = """
update threads set tip_message_hash = (select tip from temp.moved where moved.id = threads.id)
where id in (select id from temp.moved)
"""
UNFORK = "update threads set forked_from = null where forked_from in temp.gone_threads"
# A thread is named after the prompt of its first turn.
UNNAME = """
update threads set name = null
where id in (select thread_id from turns where id in temp.gone_turns) and (
    select parent_message_hash from turns where turns.thread_id = threads.id order by turns.id limit 1
) in temp.gone_messages
"""
# The search index contains the words of deleted rows until it is merged.
MERGE = "insert into turn_search_fts (turn_search_fts) values ('optimize')"


@dataclass(frozen=True, slots=True)
class PruneResult:
    """What is deleted: the number of `rows` in each table, and their size in `bytes`.

    The messages of `shared_turns` stay, because other turns or threads continue them. `kept_turns` were
    selected but stay, because their conversation was not selected. `deleted_with_thread` counts turns that
    were not deleted through the API themselves, but whose whole thread was. `legacy_rows` of llm's old tables
    belong to these turns and threads and stay, since these tables are never written. `copy_remains`: another
    program keeps the log's -wal file open, which still contains a copy of the deleted data.
    """

    rows: Mapping[str, int]
    bytes: int
    shared_turns: int
    kept_turns: int
    deleted_with_thread: int
    legacy_rows: int
    copy_remains: bool = False


def prune(
    path: Path, selection: PruneSelection, *, really: bool = False, vacuum: bool = False, report: Report
) -> PruneResult:
    """Deletes the selected turns if `really` is set, and otherwise only counts them.

    `vacuum` makes the file smaller afterwards. Other programs may use the log meanwhile: they wait for this
    one, and this one for them. Raises GptOssError if the file is not a log of llm's or cannot be opened, and
    BadRequest for a turn or thread that it does not contain.
    """
    with opened_log(path, "cannot be pruned and was not changed") as connection:
        with write_transaction(connection) if really else _read_transaction(connection):
            report(Progress("Finding the turns to delete"))
            rows = select_rows(connection, selection)
            pruned = _count_rows(connection, rows)
            if really:
                _delete(connection, rows, pruned, report)
        if not really:
            return pruned
        return replace(pruned, copy_remains=_release_space(connection, vacuum, report))


@contextmanager
def _read_transaction(connection: sqlite3.Connection) -> Iterator[None]:
    "A transaction that is rolled back."
    connection.execute("begin")
    try:
        yield
    finally:
        connection.execute("rollback")


def _count_rows(connection: sqlite3.Connection, rows: Rows) -> PruneResult:
    counts = {table: _count_table(connection, table, where) for table, where in rows.items()}
    statements = (SHARED, KEPT_BY_CONVERSATIONS, DELETED_WITH_THREAD, LEGACY)
    totals = (connection.execute(sql).fetchone()[0] for sql in statements)
    return PruneResult(
        {table: count for table, (count, _) in counts.items()},
        sum(size for _, size in counts.values()),
        *totals,
    )


def _count_table(connection: sqlite3.Connection, table: str, where: str) -> tuple[int, int]:
    "The number of rows, and their size in bytes."
    columns = [name for _, name, *_ in connection.execute(f"pragma table_info({quote_identifier(table)})")]
    size = " + ".join(f"coalesce(length(cast({quote_identifier(name)} as blob)), 0)" for name in columns)
    count, total_size = connection.execute(
        f"select count(*), coalesce(sum({size}), 0) from {quote_identifier(table)} where {where}"
    ).fetchone()
    return count, total_size


def _delete(connection: sqlite3.Connection, rows: Rows, pruned: PruneResult, report: Report) -> None:
    report(Progress("Deleting them"))
    for sql in (MOVE, UNFORK, UNNAME):
        connection.execute(sql)
    for table, where in rows.items():
        if pruned.rows[table]:
            connection.execute(f"delete from {quote_identifier(table)} where {where}")
    if pruned.rows["turn_search"]:
        report(Progress("Deleting them from the search index"))
        connection.execute(MERGE)


def _release_space(connection: sqlite3.Connection, vacuum: bool, report: Report) -> bool:
    "Returns whether another program keeps a copy of the deleted data."
    try:
        if vacuum:
            report(Progress("Making the file smaller"))
            connection.execute("vacuum")
        busy, _, _ = connection.execute("pragma wal_checkpoint(truncate)").fetchone()
    except sqlite3.Error as problem:
        raise GptOssError(
            f"The turns are deleted, but the file cannot be made smaller now: {problem}.",
            remedy="Run `llm gpt-oss logs prune --yes --vacuum` later.",
        ) from problem
    return bool(busy)
