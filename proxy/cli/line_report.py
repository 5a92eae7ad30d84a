"Prints the progress of `logs export` and `logs import`, and the lines that they left out."

from __future__ import annotations

import sys

import click

from llm_gpt_oss.cli.terminal import printable

# How many of the lines that were left out are named. All are counted.
NAMED = 10
# The number of lines between two counts.
STEP = 100


class LineReport:
    "`noun` is what may be left out, such as `lines`. With `counts`, a terminal shows a running count."

    def __init__(self, noun: str, *, counts: bool = True) -> None:
        self._noun = noun
        self._counts = counts and sys.stderr.isatty()
        self._shown = False
        self._left_out = 0

    def line(self, number: int) -> None:
        "Show the number of lines so far, every STEP lines."
        if self._counts and number % STEP == 0:
            click.echo(f"\r{number} lines", err=True, nl=False)
            self._shown = True

    def left_out(self, name: str, reason: object) -> None:
        self._left_out += 1
        if self._left_out <= NAMED:
            self._end_count()
            click.echo(f"{name} was left out: {printable(str(reason))}", err=True)

    def end(self) -> int:
        "Print how many were left out, unless all were named. Return the exit code."
        self._end_count()
        if self._left_out > NAMED:
            click.echo(f"{self._left_out} {self._noun} were left out in all.", err=True)
        return 1 if self._left_out else 0

    def _end_count(self) -> None:
        if self._shown:
            click.echo(err=True)
        self._shown = False
