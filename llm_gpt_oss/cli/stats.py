"`llm gpt-oss stats`"

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import click

from ..log.stats import GROUPS, Stats, read_stats
from .llm_cli_internals import logs_db_path
from .past_time import past_time
from .read_log import opened_log
from .tables import Column, draw_table, is_terminal, print_tabs, short_number, short_time
from .terminal import printable

NUMBERS = (
    Column("turns", "turns", short_number),
    Column("failed", "failed", lambda count: f"[red]{short_number(count)}[/]" if count else ""),
    Column("prompt_tokens", "prompt", short_number),
    Column("reasoning_tokens", "reasoning", short_number),
    Column("answer_tokens", "answer", short_number),
    Column("first_token_ms", "first\ntoken", short_time),
    Column("tokens_per_second", "tokens\nper s", lambda rate: f"{rate:.1f}"),
)


def _columns(by: Sequence[str]) -> tuple[Column, ...]:
    return (*(Column(name, name, _text, is_text=True) for name in by), *NUMBERS)


def _text(value: Any) -> str:
    from rich.markup import escape

    return escape(printable(str(value)))  # apps choose their names


def _draw(by: Sequence[str], groups: Sequence[Stats], total: Stats) -> None:
    "Draw the table for a terminal. All values of a group's key share one column."
    rows = [
        (", ".join("unknown" if value is None else str(value) for value in key), *numbers)
        for key, *numbers in groups
    ]
    name = Column("", ", ".join(by), _text, is_text=True)
    draw_table((name, *NUMBERS), rows, ("total", *total[1:]) if len(rows) > 1 else ())


def _row(stats: Stats) -> tuple[Any, ...]:
    key, *numbers = stats
    return (*key, *numbers)


@click.command(name="stats")
@click.option(
    "--by",
    type=click.Choice([*GROUPS]),
    multiple=True,
    help="Group by this. Repeat it to divide the groups further  [default: day]",
)
@click.option("--since", callback=past_time, metavar="DURATION|DATE", help="Only turns since then")
@click.option("--benchmarks", is_flag=True, help="Also count the turns of `llm gpt-oss bench`")
@click.option("json_", "--json", is_flag=True, help="Output as JSON")
@click.option("csv_", "--csv", is_flag=True, help="Output as CSV")
@click.option(
    "-d",
    "--database",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Use this database instead of llm's logs.db",
)
def command(
    by: tuple[str, ...],
    since: datetime | None,
    benchmarks: bool,
    json_: bool,
    csv_: bool,
    database: Path | None,
) -> None:
    """
    Count the turns in the log: tokens, speed, failures

    The time to the first token and the tokens per second are medians. In a pipe, tabs separate the values.

    Example usage:

    \b
        llm gpt-oss stats --since 7d
        llm gpt-oss stats --by model --by effort
        llm gpt-oss stats --by app --json
    """
    if json_ and csv_:
        raise click.UsageError("Type --json or --csv, not both.")
    by = tuple(dict.fromkeys(by)) or ("day",)
    start = since.astimezone(timezone.utc).isoformat() if since else ""
    with opened_log(database or logs_db_path()) as log:
        groups, total = read_stats(log, by, start, benchmarks=benchmarks)
    columns, rows = _columns(by), [_row(group) for group in groups]
    names = [column.name for column in columns]
    if json_:
        click.echo(json.dumps([dict(zip(names, row, strict=True)) for row in rows], indent=2))
    elif csv_:
        file = io.StringIO()
        csv.writer(file, lineterminator="\n").writerows([names, *rows])
        click.echo(file.getvalue(), nl=False)
    elif not rows:
        when = " since then" if since else ""
        click.echo(f"There are no turns{when}. A first prompt makes one: llm -m gpt-oss 'Hi'", err=True)
    elif is_terminal():
        _draw(by, groups, total)
    else:
        print_tabs(columns, rows)
