"""`llm gpt-oss logs`"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import click

from llm_gpt_oss.cli.terminal import ProgressLine, columns, format_size

from ..log.prune import PruneResult, prune
from ..log.prune_selection import PruneSelection
from ..settings import Settings

TOLD = ["turns", "threads", "messages", "parts", "attachments", "fragments"]
UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1), "y": timedelta(days=365)}


def _moment(ctx: click.Context, param: click.Parameter, written: str | None) -> datetime | None:
    if written is None:
        return None
    try:
        if duration := re.fullmatch(r"(\d+)([hdwy])", written):
            return datetime.now().astimezone() - int(duration[1]) * UNITS[duration[2]]
        return datetime.fromisoformat(written).astimezone()
    except (ValueError, OverflowError):
        raise click.BadParameter(
            f"{written!r} is neither a time such as 12h, 30d, 8w, 1y nor a date such as 2026-01-31"
        ) from None


@click.group(name="logs")
def command() -> None:
    "The log of what was asked: delete from it for good"


@command.command(name="prune")
@click.option(
    "before", "--older-than", callback=_moment, metavar="DURATION|DATE", help="Turns from before that"
)
@click.option("threads", "--thread", multiple=True, metavar="ID", help="This thread or conversation")
@click.option("turns", "--turn", multiple=True, metavar="ID", help="This turn, response or completion")
@click.option("--yes", is_flag=True, help="Delete it, instead of only saying what would go")
@click.option("--vacuum", is_flag=True, help="Make the file smaller by what went")
@click.option("json_", "--json", is_flag=True, help="Output as JSON")
@click.option(
    "-d",
    "--database",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Instead of llm's own logs.db",
)
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
    Delete from the log for good

    Without --older-than, --thread and --turn: what was deleted through the API, where that is only marked.
    With --older-than, of the threads and turns that are named only what is older.

    Says what would go, and deletes nothing without --yes. What is shared with turns that stay stays.

    Example usage:

    \b
        llm gpt-oss logs prune
        llm gpt-oss logs prune --yes
        llm gpt-oss logs prune --older-than 90d --yes --vacuum
    """
    choice = PruneSelection(turns, threads, before)
    with ProgressLine() as report:
        pruned = prune(database or Settings().database, choice, really=yes, vacuum=vacuum, report=report)
    counts = {table: pruned.rows[table] for table in TOLD}
    if json_:
        click.echo(json.dumps({"deleted": yes, **counts, "bytes": pruned.bytes}, indent=2))
    elif any(pruned.rows.values()):
        click.echo(columns((name, str(count)) for name, count in counts.items()))
        click.echo(f"{format_size(pruned.bytes)} {'were deleted' if yes else 'would go'}.")
    else:
        click.echo("There is nothing to delete.")
    for remark in _remarks(pruned, marked=choice.marked, done=yes):
        click.echo(remark, err=True)


def _remarks(pruned: PruneResult, *, marked: bool, done: bool) -> Iterator[str]:
    if pruned.along and marked:
        yield f"{pruned.along} of these turns were not deleted themselves, but with their conversation."
    if pruned.shared:
        yield (
            f"What was said in {pruned.shared} of these turns stays: later turns or other threads go on from "
            "there."
        )
    if pruned.held:
        yield (
            f"{pruned.held} more turns stay: conversations of the API hold them until they are deleted "
            "themselves, there or with `--thread ID`."
        )
    if pruned.legacy:
        yield (
            f"llm's old table `responses` has {pruned.legacy} rows of the same turns. They stay: it is not "
            "written any more."
        )
    if pruned.lingers:
        yield "A program that reads the log keeps a copy of what went in its -wal file, until it is done."
    if not done and any(pruned.rows.values()):
        yield "Nothing was deleted: add --yes for that."
