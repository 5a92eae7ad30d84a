"""`llm gpt-oss logs export`"""

from __future__ import annotations

import os
import sqlite3
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

from llm_gpt_oss.cli.past_time import past_time
from llm_gpt_oss.errors import GptOssError

from ..settings import Settings
from .database_option import database_option
from .line_report import LineReport

if TYPE_CHECKING:
    from ..log.llm_store import ChainStore
    from ..transfer.export import Format
    from ..transfer.selection import Selection

TIME = "DURATION|DATE"


@click.command(name="export")
@click.option(
    "--format",
    type=click.Choice(["chat", "harmony", "responses", "turns"]),
    default="turns",
    show_default=True,
    help="What a line is",
)
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="Write to this file")
@click.option("--reasoning", is_flag=True, help="With --format chat: include the reasoning")
@click.option("--since", callback=past_time, metavar=TIME, help="Only turns since then")
@click.option("until", "--until", "--older-than", callback=past_time, metavar=TIME, help="Only older turns")
@click.option("threads", "--thread", multiple=True, metavar="ID", help="Only this thread or conversation")
@click.option("models", "-m", "--model", multiple=True, help="Only this model")
@click.option("apps", "--app", multiple=True, metavar="NAME", help="Only this app; `shell` is llm itself")
@click.option("keys", "--key", multiple=True, metavar="NAME", help="Only this key of the server")
@click.option("--failed/--ok", default=None, help="Only turns that failed, or only the others")
@click.option("search", "-q", "--query", help="Only turns with these words in the prompt or the answer")
@click.option("--benchmarks", is_flag=True, help="Also the turns of `llm gpt-oss bench`")
@database_option("Use this database")
@click.pass_context
def command(
    ctx: click.Context,
    format: Format,
    output: Path | None,
    reasoning: bool,
    since: datetime | None,
    until: datetime | None,
    threads: Sequence[str],
    models: Sequence[str],
    apps: Sequence[str],
    keys: Sequence[str],
    failed: bool | None,
    search: str | None,
    benchmarks: bool,
    database: Path | None,
) -> None:
    """
    Export turns of the log as lines of JSON

    \b
    What a line is, by format:
        turns      a turn, with everything that the log has about it
        chat       a conversation in OpenAI's format for fine-tuning
        responses  a turn as the Responses API returns it, and its input items
        harmony    a conversation as the text that the model reads and writes

    In chat and harmony, a line contains all turns of its conversation, and failed turns are left out. Turns
    that were deleted through the API are never exported.

    The exit code is 1 if a turn cannot be exported in this format.

    Example usage:

    \b
        llm gpt-oss logs export -o backup.jsonl
        llm gpt-oss logs export --format chat --since 30d --app my-agent -o train.jsonl
        llm gpt-oss logs export --format responses | head -1 | jq
    """
    from ..log.ids import CONVERSATION_PREFIX
    from ..transfer.export import CONVERSATIONS
    from ..transfer.selection import Selection

    if failed is None and format in CONVERSATIONS:
        failed = False
    if reasoning and format != "chat":
        raise click.UsageError("--reasoning needs --format chat. The other formats include the reasoning.")
    selection = Selection(
        since,
        until,
        [thread.removeprefix(CONVERSATION_PREFIX) for thread in threads],
        models,
        apps,
        keys,
        failed,
        search,
        benchmarks,
    )
    ctx.exit(_export(database or Settings().database, output, selection, format, reasoning=reasoning))


def _export(path: Path, output: Path | None, selection: Selection, format: Format, *, reasoning: bool) -> int:
    "Write the selected turns of the log at `path`, and return the exit code."
    from ..transfer.export import export_lines

    try:
        with _opened_log(path) as log, _opened_output(output, path) as file:
            report = LineReport("turns", counts=not file.isatty())

            def leave_out(turn_id: str, problem: Exception) -> None:
                report.left_out(f"Turn {turn_id}", problem)

            lines = export_lines(log, selection, format, reasoning=reasoning, on_problem=leave_out)
            for number, line in enumerate(lines, 1):
                file.write(line)
                report.line(number)
            file.flush()
    except sqlite3.Error as problem:
        raise GptOssError(f"{path} cannot be read: {problem}.") from problem
    return report.end()


@contextmanager
def _opened_log(path: Path) -> Iterator[ChainStore]:
    from ..log.database import open_log

    if not path.exists():
        raise GptOssError(f"There is no log at {path}.", remedy="`llm logs path` shows where llm's log is.")
    try:
        log = open_log(path)
    except OSError as problem:
        raise GptOssError(f"{path} cannot be read: {problem}.") from problem
    with closing(log.db.conn) as connection:
        connection.execute("pragma query_only = on")
        yield log


@contextmanager
def _opened_output(output: Path | None, database: Path) -> Iterator[BinaryIO]:
    "Open standard output, or a file that only its owner can read. Raises GptOssError if that is impossible."
    if output is None:
        yield sys.stdout.buffer
        return
    if output.exists() and output.samefile(database):
        raise click.UsageError(f"{output} is the log itself. Choose another file for the export.")
    try:
        descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(descriptor, "wb") as file:
            os.fchmod(descriptor, 0o600)
            yield file
    except OSError as problem:
        raise GptOssError(f"{output} cannot be written: {problem}.") from problem
