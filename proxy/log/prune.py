"""Deletes from llm's log for good. Through the API things are only marked as deleted."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from llm_gpt_oss.errors import GptOssError
from llm_gpt_oss.setup.progress import Progress, Report

from .database import open_log, set_busy_timeout, write_transaction
from .prune_selection import PruneSelection, Rows, select_rows

# How long to wait for other programs that have the log, in milliseconds.
BUSY_TIMEOUT = 10_000
# How much memory the log's pages may take, in KiB.
CACHE = 64 * 1024

# Said by turns that go, and needed by others.
SHARED = """
select count(*) from turns where id in temp.gone_turns and tip_message_hash not in temp.gone_messages
"""
HELD = "select count(*) from temp.held"
ALONG = """
select count(*) from turns left join gpt_oss_requests as request on request.turn_id = turns.id
where turns.thread_id in temp.released and not coalesce(request.deleted, 0)
"""
LEGACY = "select count(*) from responses where id in temp.gone_turns or conversation_id in temp.gone_threads"
MOVE = """
update threads set tip_message_hash = (select tip from temp.moved where moved.id = threads.id)
where id in (select id from temp.moved)
"""
UNFORK = "update threads set forked_from = null where forked_from in temp.gone_threads"
# A thread is called by what its first turn was asked.
UNNAME = """
update threads set name = null
where id in (select thread_id from turns where id in temp.gone_turns) and (
    select parent_message_hash from turns where turns.thread_id = threads.id order by turns.id limit 1
) in temp.gone_messages
"""
# Until it is merged, a search index holds the words of rows that are gone.
MERGE = "insert into turn_search_fts (turn_search_fts) values ('optimize')"


@dataclass(frozen=True, slots=True)
class PruneResult:
    """What goes: how many `rows` of each table, and the `bytes` that they hold.

    What was said in `shared` of the turns stays, because other turns or threads go on from there. `held` more
    turns were chosen, but are of conversations that were not. `along` of the turns go because their whole
    thread does, and were not deleted themselves through the API. `legacy` rows of llm's old tables, which are
    never written, are of turns and threads that go. `lingers`: another program keeps the file that the log's
    changes are written to first, and with it a copy of what went.
    """

    rows: Mapping[str, int]
    bytes: int
    shared: int
    held: int
    along: int
    legacy: int
    lingers: bool = False


def prune(
    path: Path, choice: PruneSelection, *, really: bool = False, vacuum: bool = False, report: Report
) -> PruneResult:
    """What goes; `really` deletes it, and `vacuum` gives the room back that this makes.

    Other programs may use the log meanwhile: they wait, as this does for them. Raises GptOssError where there
    is no log of llm's, or it cannot be had, and BadRequest for a turn or thread that it does not have.
    """
    with _opened(path) as connection:
        with write_transaction(connection) if really else _looking(connection):
            report(Progress("Looking for what goes"))
            rows = select_rows(connection, choice)
            pruned = _counted(connection, rows)
            if really:
                _delete(connection, rows, pruned, report)
        if not really:
            return pruned
        return replace(pruned, lingers=_lingers(connection, vacuum, report))


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    try:
        if not path.exists():
            raise GptOssError(f"There is no log at {path}.", remedy="`llm logs path` says where llm's is.")
        if not _is_log(path):
            raise GptOssError(f"{path} is no log of llm's: nothing in it is touched.")
        with closing(open_log(path).db.conn) as connection:
            set_busy_timeout(connection, BUSY_TIMEOUT)
            for schema in ("main", "temp"):
                connection.execute(f"pragma {schema}.cache_size = -{CACHE}")
            # Zeros are written over what is deleted.
            connection.execute("pragma secure_delete = on")
            yield connection
    except (OSError, sqlite3.Error) as problem:
        raise GptOssError(f"{path} cannot be pruned, and is as it was: {problem}.") from problem


def _is_log(path: Path) -> bool:
    with closing(sqlite3.connect(path)) as connection:
        set_busy_timeout(connection, BUSY_TIMEOUT)
        try:
            found = connection.execute(
                "select 1 from sqlite_master where name = '_llm_migrations'"
            ).fetchone()
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError:  # a file of another kind
            return False
    return found is not None


@contextmanager
def _looking(connection: sqlite3.Connection) -> Iterator[None]:
    "A transaction that changes nothing."
    connection.execute("begin")
    try:
        yield
    finally:
        connection.execute("rollback")


def _counted(connection: sqlite3.Connection, rows: Rows) -> PruneResult:
    counts = {table: _count(connection, table, where) for table, where in rows.items()}
    told = (connection.execute(sql).fetchone()[0] for sql in (SHARED, HELD, ALONG, LEGACY))
    return PruneResult(
        {table: count for table, (count, _) in counts.items()},
        sum(size for _, size in counts.values()),
        *told,
    )


def _count(connection: sqlite3.Connection, table: str, where: str) -> tuple[int, int]:
    columns = [name for _, name, *_ in connection.execute(f'pragma table_info("{table}")')]
    size = " + ".join(f'coalesce(length(cast("{column}" as blob)), 0)' for column in columns)
    count, held = connection.execute(
        f'select count(*), coalesce(sum({size}), 0) from "{table}" where {where}'
    ).fetchone()
    return count, held


def _delete(connection: sqlite3.Connection, rows: Rows, pruned: PruneResult, report: Report) -> None:
    report(Progress("Deleting it"))
    for sql in (MOVE, UNFORK, UNNAME):
        connection.execute(sql)
    for table, where in rows.items():
        if pruned.rows[table]:
            connection.execute(f'delete from "{table}" where {where}')
    if pruned.rows["turn_search"]:
        report(Progress("Deleting it from the search index"))
        connection.execute(MERGE)


def _lingers(connection: sqlite3.Connection, vacuum: bool, report: Report) -> bool:
    try:
        if vacuum:
            report(Progress("Giving the room back"))
            connection.execute("vacuum")
        busy, _, _ = connection.execute("pragma wal_checkpoint(truncate)").fetchone()
    except sqlite3.Error as problem:
        raise GptOssError(
            f"It is deleted, but the room that it took cannot be given back now: {problem}.",
            remedy="`llm gpt-oss logs prune --yes --vacuum` does that later.",
        ) from problem
    return bool(busy)
