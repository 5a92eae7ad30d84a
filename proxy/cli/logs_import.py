"""`llm gpt-oss logs import`"""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

from llm_gpt_oss.errors import GptOssError

from ..settings import Settings
from .database_option import database_option
from .line_report import LineReport

if TYPE_CHECKING:
    from ..log.llm_store import ChainStore

# How many milliseconds to wait for other programs that write to the log.
BUSY_TIMEOUT = 30_000


@click.command(name="import")
@click.argument("file", type=click.File("rb"))
@click.option("-m", "--model", help="Model of conversations in the format chat, which name none")
@click.option("--dry-run", is_flag=True, help="Only show what would be added")
@database_option("Import into this database")
@click.pass_context
def command(
    ctx: click.Context, file: BinaryIO, model: str | None, dry_run: bool, database: Path | None
) -> None:
    """
    Import turns that `logs export` wrote

    Reads lines in the formats turns, responses and chat from FILE, or from standard input if it is `-`.
    Turns that the log has already are not added again.

    The exit code is 1 if a line cannot be read. The others are imported.

    Example usage:

    \b
        llm gpt-oss logs import backup.jsonl
        llm gpt-oss logs import --dry-run train.jsonl -m gpt-oss:20b
        ssh server llm gpt-oss logs export | llm gpt-oss logs import -
    """
    from ..transfer.log_import import import_lines, read_lines

    settings = Settings()
    path = database or settings.database
    report = LineReport("lines")
    try:
        with ExitStack() as opened:
            if dry_run:
                folder = Path(opened.enter_context(tempfile.TemporaryDirectory()))
                log = opened.enter_context(_opened_log(folder / "logs.db"))
                known = opened.enter_context(_opened_log(path)) if path.exists() else None
            else:
                log, known = opened.enter_context(_opened_log(path)), None
            outcomes = import_lines(read_lines(file), log, model or settings.model, known)
            added = known_turns = 0
            for outcome in outcomes:
                added += outcome.added
                known_turns += outcome.known
                if outcome.problem:
                    report.left_out(f"Line {outcome.number}", outcome.problem)
                report.line(outcome.number)
    except (OSError, sqlite3.Error) as problem:
        raise GptOssError(
            f"{path} cannot be written: {problem}.",
            remedy="Type the command again when that is solved: what was imported is not added twice.",
        ) from problem
    exit_code = report.end()
    click.echo(f"{added} turns {'would be' if dry_run else 'were'} added.")
    if known_turns:
        click.echo(f"{known_turns} turns are in the log already.")
    ctx.exit(exit_code)


@contextmanager
def _opened_log(path: Path) -> Iterator[ChainStore]:
    from llm_gpt_oss.log.redaction import Redaction

    from ..log.database import open_log

    log = open_log(path, BUSY_TIMEOUT, Redaction.load())
    with closing(log.db.conn):
        yield log
