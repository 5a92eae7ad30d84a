"""`llm gpt-oss logs`"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import click

from llm_gpt_oss.cli.past_time import past_time
from llm_gpt_oss.cli.terminal import ProgressLine, columns, format_size, format_time
from llm_gpt_oss.log.database import unlogged_folder

from ..log.file_access import protect
from ..log.prune import PruneResult, prune
from ..log.prune_selection import PruneSelection
from ..log.spool import Spool
from ..log.unlogged_turns import UnloggedTurn, try_turns
from ..settings import Settings
from . import logs_export, logs_import
from .database_option import database_option
from .logs_redact import patterns, redact_

COUNTED = ["turns", "threads", "messages", "parts", "attachments", "fragments"]


@click.group(name="logs")
def command() -> None:
    "Manage the log of requests"


command.add_command(logs_export.command)
command.add_command(logs_import.command)
command.add_command(redact_)
command.add_command(patterns)


@command.command(name="prune")
@click.option("before", "--older-than", callback=past_time, metavar="DURATION|DATE", help="Only older turns")
@click.option("threads", "--thread", multiple=True, metavar="ID", help="This thread or conversation")
@click.option("turns", "--turn", multiple=True, metavar="ID", help="This turn, response or completion")
@click.option("--yes", is_flag=True, help="Delete, instead of only showing what would be deleted")
@click.option("--vacuum", is_flag=True, help="Shrink the file afterwards")
@click.option("json_", "--json", is_flag=True, help="Output as JSON")
@database_option("Use this database")
def prune_(
    before: datetime | None,
    threads: tuple[str, ...],
    turns: tuple[str, ...],
    yes: bool,
    vacuum: bool,
    json_: bool,
    database: Path | None,
) -> None:
    """
    Delete turns from the log for good

    Deletes the turns that --thread, --turn and --older-than select. Without these three options, deletes
    what was deleted through the API, which only hides it.

    Without --yes, only shows what would be deleted. Messages that other turns need stay.

    Example usage:

    \b
        llm gpt-oss logs prune
        llm gpt-oss logs prune --yes
        llm gpt-oss logs prune --older-than 90d --yes --vacuum
    """
    selection = PruneSelection(turns, threads, before)
    with ProgressLine() as report:
        pruned = prune(database or Settings().database, selection, really=yes, vacuum=vacuum, report=report)
    counts = {table: pruned.rows[table] for table in COUNTED}
    if json_:
        click.echo(json.dumps({"deleted": yes, **counts, "bytes": pruned.bytes}, indent=2))
    elif any(pruned.rows.values()):
        click.echo(columns((name, str(count)) for name, count in counts.items()))
        click.echo(f"{format_size(pruned.bytes)} {'were deleted' if yes else 'would be deleted'}.")
    else:
        click.echo("There is nothing to delete.")
    for remark in _remarks(pruned, marked=selection.marked, deleted=yes):
        click.echo(remark, err=True)


@command.command(name="protect")
@database_option("Protect this database")
def protect_(database: Path | None) -> None:
    """
    Let only you read the log

    Other users of this machine can read a log that llm created. This command changes the permissions of the
    database, of the files that SQLite keeps beside it, and of turns that wait to be logged.
    """
    database = database or Settings().database
    changed = protect(database, Spool(database).folder)
    for path in changed:
        click.echo(path)
    message = "Only you can use these files now." if changed else f"Only you could use {database} already."
    click.echo(message, err=True)


@command.command(name="waiting")
@click.option("--retry", is_flag=True, help="Log the turns that can be logged now")
@click.option("json_", "--json", is_flag=True, help="Output as JSON")
@database_option("Use this database")
@click.pass_context
def waiting(ctx: click.Context, retry: bool, json_: bool, database: Path | None) -> None:
    """
    List turns that wait for the log or were rejected, and why

    While the database cannot be written, turns wait in files beside it. If the database rejects a turn, the
    name of its file ends in .rejected, and only --retry tries it again.

    With --retry, the exit code is 1 if a turn cannot be logged.

    Example usage:

    \b
        llm gpt-oss logs waiting
        llm gpt-oss logs waiting --retry
    """
    database = database or Settings().database
    turns = [*try_turns(database, really=retry)]
    done = "was logged" if retry else "can be logged"
    if json_:
        click.echo(json.dumps([turn._asdict() for turn in turns], indent=2))
    elif turns:
        texts = [(turn, f"cannot be logged: {turn.problem}" if turn.problem else done) for turn in turns]
        click.echo(columns((turn.name, f"{_local_time(turn)}  {text}") for turn, text in texts))
    else:
        click.echo("No turn waits.")
    problems = [turn for turn in turns if turn.problem]
    if len(problems) < len(turns) and not retry:
        click.echo("Nothing was logged. Add --retry to log what can be logged.", err=True)
    if problems and retry:
        folder = unlogged_folder(database)
        click.echo(
            f"Try again when the reason is gone. To give a turn up, delete its file in {folder}.", err=True
        )
    ctx.exit(bool(retry and problems))


def _local_time(turn: UnloggedTurn) -> str:
    return format_time(turn.started) if turn.started else f"{'unknown time':<16}"


def _remarks(pruned: PruneResult, *, marked: bool, deleted: bool) -> Iterator[str]:
    if pruned.deleted_with_thread and marked:
        yield (
            f"{pruned.deleted_with_thread} of these turns were not deleted themselves, but their "
            "conversation was."
        )
    if pruned.shared_turns:
        yield (
            f"The messages of {pruned.shared_turns} of these turns stay: later turns or other threads "
            "continue them."
        )
    if pruned.kept_turns:
        yield (
            f"{pruned.kept_turns} more turns stay: they are part of conversations of the API. Delete those "
            "through the API or with `--thread ID`."
        )
    if pruned.legacy_rows:
        yield (
            f"llm's old table `responses` has {pruned.legacy_rows} rows of the same turns. They stay: llm no "
            "longer writes to it."
        )
    if pruned.copy_remains:
        yield "A program that reads the log keeps a copy of the deleted data in the -wal file until it ends."
    if not deleted and any(pruned.rows.values()):
        yield "Nothing was deleted. Add --yes to delete."
