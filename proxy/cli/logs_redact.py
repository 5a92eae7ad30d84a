"`llm gpt-oss logs redact` and `llm gpt-oss logs patterns`"

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import click

from llm_gpt_oss.cli.past_time import past_time
from llm_gpt_oss.cli.terminal import ProgressLine, columns
from llm_gpt_oss.log.redaction import Redaction
from llm_gpt_oss.log.secret_patterns import DEFAULTS, Pattern, compile_patterns, load_patterns

from ..log.redact import RedactResult, redact
from ..log.redact_selection import RedactSelection
from ..settings import Settings
from .database_option import database_option


@click.command(name="redact")
@click.option("patterns", "--pattern", multiple=True, metavar="REGEX", help="Redact what this matches")
@click.option("before", "--older-than", callback=past_time, metavar="DURATION|DATE", help="Only older turns")
@click.option("threads", "--thread", multiple=True, metavar="ID", help="Only this thread or conversation")
@click.option("--yes", is_flag=True, help="Redact, instead of only showing what would be redacted")
@click.option("json_", "--json", is_flag=True, help="Output as JSON")
@database_option("Use this database")
def redact_(
    patterns: tuple[str, ...],
    before: datetime | None,
    threads: tuple[str, ...],
    yes: bool,
    json_: bool,
    database: Path | None,
) -> None:
    """
    Redact turns that are in the log already

    Replaces what the patterns match by [redacted], in the texts of all turns, or of those of --thread that
    are older than --older-than. The patterns are those of --pattern, otherwise those in the file
    gpt-oss-redact.txt, and without that file those that `llm gpt-oss logs patterns` prints.

    Without --yes, only shows how many rows would be redacted.

    Example usage:

    \b
        llm gpt-oss logs redact
        llm gpt-oss logs redact --yes
        llm gpt-oss logs redact --pattern '(?i)alice' --older-than 30d --yes
    """
    redaction = Redaction(_patterns(patterns))
    selection = RedactSelection(threads, before)
    with ProgressLine() as report:
        result = redact(database or Settings().database, redaction, selection, really=yes, report=report)
    if json_:
        click.echo(json.dumps({"redacted": yes, **result.rows}, indent=2))
    elif total := sum(result.rows.values()):
        click.echo(columns((table, str(count)) for table, count in result.rows.items()))
        click.echo(f"{total} rows {'were' if yes else 'would be'} redacted.")
    else:
        click.echo("There is nothing to redact.")
    for remark in _remarks(result, redacted=yes):
        click.echo(remark, err=True)


@click.command(name="patterns")
def patterns() -> None:
    """
    Print patterns of common keys and tokens, to redact them

    Save them as gpt-oss-redact.txt in llm's user directory. From then on, what they match is replaced by
    [redacted] before a turn is logged.

    Example usage:

    \b
        llm gpt-oss logs patterns | tee "$(dirname "$(llm logs path)")/gpt-oss-redact.txt"
    """
    click.echo(DEFAULTS, nl=False)


def _patterns(given: tuple[str, ...]) -> list[Pattern]:
    if given:
        return compile_patterns(given, "--pattern")
    return load_patterns() or compile_patterns(DEFAULTS.splitlines(), "The patterns of keys")


def _remarks(result: RedactResult, *, redacted: bool) -> Iterator[str]:
    if result.copy_remains:
        yield "A program that reads the log keeps a copy of the old texts in the -wal file until it ends."
    if not redacted and any(result.rows.values()):
        yield "Nothing was redacted. Add --yes to redact."
