"""Prints tables of numbers: drawn on a terminal, and separated by tabs in a pipe.

A column has a name for programs, such as `first_token_ms`, and a heading for people. Programs get exact
values, and people get short ones.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from .terminal import printable

if TYPE_CHECKING:
    from rich.console import RenderableType


# rich's box with only two lines: under the headings, and above the total.
RULES = "    \n    \n ── \n    \n    \n ── \n    \n    \n"


class Column(NamedTuple):
    "A column. `draw` formats a value for people. Texts are aligned to the left, numbers to the right."

    name: str
    heading: str
    draw: Callable[[Any], RenderableType] = str
    is_text: bool = False


def is_terminal() -> bool:
    return sys.stdout.isatty()


def print_tabs(columns: Sequence[Column], rows: Iterable[Sequence[Any]]) -> None:
    "Print the names of the columns, then the rows, separated by tabs. None is printed as nothing."
    click.echo("\t".join(column.name for column in columns))
    for row in rows:
        click.echo("\t".join("" if value is None else printable(str(value)) for value in row))


def draw_table(
    columns: Sequence[Column],
    rows: Iterable[Sequence[Any]],
    total: Sequence[Any] = (),
    title: str | None = None,
) -> None:
    "Draw a table. `total`, if it is not empty, is its last row. None is drawn as nothing."
    from rich.box import Box
    from rich.console import Console
    from rich.table import Table

    table = Table(
        title=title,
        title_justify="left",
        title_style="bold",
        box=Box(RULES),
        padding=(0, 1, 0, 0),
        pad_edge=False,
        show_edge=False,
        show_footer=bool(total),
    )
    for column, value in zip_longest(columns, total):
        table.add_column(
            column.heading,
            footer=_cell(column, value),
            justify="left" if column.is_text else "right",
            vertical="bottom",
            no_wrap=not column.is_text,
            overflow="fold",
        )
    for row in rows:
        table.add_row(*(_cell(column, value) for column, value in zip(columns, row, strict=True)))
    Console(highlight=False).print(table)


def _cell(column: Column, value: Any) -> RenderableType:
    return "" if value is None else column.draw(value)


def short_number(value: float) -> str:
    "Format a number in at most five characters: `950`, `12.3k`, `1.2M`."
    units = ["", "k", "M", "G"]
    while value >= 999.5 and len(units) > 1:
        value /= 1000
        units.pop(0)
    is_whole = value >= 99.95 or not units[0]
    return f"{value:.0f}{units[0]}" if is_whole else f"{value:.1f}{units[0]}"


def short_time(milliseconds: float) -> str:
    "Format a time: `85 ms`, `1.2 s`, `120 s`."
    if milliseconds < 999.5:
        return f"{milliseconds:.0f} ms"
    seconds = milliseconds / 1000
    return f"{seconds:.1f} s" if seconds < 99.95 else f"{seconds:.0f} s"
