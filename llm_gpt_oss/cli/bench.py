"`llm gpt-oss bench`"

from __future__ import annotations

import json
import platform
import secrets
import sqlite3
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path
from typing import Any, NamedTuple, get_args

import click
import llm
import sqlite_utils

from ..bench.bench_log import Earlier, Session, latest_earlier, log_run
from ..bench.measure import Benchmark
from ..bench.results import Case, Run, Summary, summarize
from ..catalog.binding import BoundModel
from ..engines.providers import get_provider
from ..errors import GptOssError
from ..log.database import open_database
from ..models import GptOss
from ..options import ReasoningEffort
from . import target
from .bench_tables import draw_report, print_report
from .llm_cli_internals import logs_db_path, logs_on
from .tables import is_terminal

# How many milliseconds to wait for a program that has locked the log.
PATIENCE = 3000
MAX_TOKENS, MAX_PROMPT, MAX_RUNS = 4096, 120_000, 100


class Row(NamedTuple):
    "The results of a case. `error` is why measuring it was stopped, or None."

    case: Case
    summary: Summary | None
    earlier: Earlier | None
    error: str | None


def _efforts(ctx: click.Context, param: click.Parameter, value: str) -> list[str]:
    efforts, known = _listed(value), get_args(ReasoningEffort)
    if not efforts or not {*efforts} <= {*known}:
        raise click.BadParameter(f"{value!r} is no list such as low,high of these: {', '.join(known)}")
    return efforts


def _lengths(ctx: click.Context, param: click.Parameter, value: str) -> list[int]:
    lengths = [int(text) if text.isascii() and text.isdecimal() else 0 for text in _listed(value)]
    if not lengths or not all(1 <= length <= MAX_PROMPT for length in lengths):
        raise click.BadParameter(f"{value!r} is no list of numbers such as 100,2000, each up to {MAX_PROMPT}")
    return lengths


def _listed(value: str) -> list[str]:
    return [*dict.fromkeys(text.strip() for text in value.split(",") if text.strip())]


@click.command(name="bench")
@click.option("-m", "--model", "name", metavar="TAG", help="Model to measure  [default: gpt-oss]")
@click.option("--engine", metavar="NAME", help="Measure it on this engine  [default: the one of its prompts]")
@click.option(
    "efforts",
    "--effort",
    default="medium",
    show_default=True,
    callback=_efforts,
    metavar="LIST",
    help="Reasoning efforts, such as low,high",
)
@click.option(
    "lengths",
    "--prompt-tokens",
    default="100,2000",
    show_default=True,
    callback=_lengths,
    metavar="LIST",
    help="Lengths of prompts in tokens",
)
@click.option(
    "--runs", type=click.IntRange(1, MAX_RUNS), default=3, show_default=True, help="Prompts of each kind"
)
@click.option(
    "--tokens",
    type=click.IntRange(2, MAX_TOKENS),
    default=64,
    show_default=True,
    help="Tokens to generate for each, reasoning included",
)
@click.option("--num-ctx", type=click.IntRange(256, 131072), help="Context length, as for a prompt")
@click.option("json_", "--json", is_flag=True, help="Output as JSON")
@click.option("--no-log", is_flag=True, help="Do not log the turns, nor compare with earlier ones")
@click.pass_context
def command(
    ctx: click.Context,
    name: str | None,
    engine: str | None,
    efforts: Sequence[str],
    lengths: Sequence[int],
    runs: int,
    tokens: int,
    num_ctx: int | None,
    json_: bool,
    no_log: bool,
) -> None:
    """
    Measure how fast a model answers on this machine

    Measures the time to the first token and the tokens per second, by effort and length of the prompt. Each
    prompt is sent twice: `cached` is the time to the first token when the engine has just read the same
    prompt.

    The turns are logged, marked as a benchmark, and compared with those of the last time. Ctrl-C shows what
    was measured so far.

    Example usage:

    \b
        llm gpt-oss bench
        llm gpt-oss bench -m gpt-oss:120b --effort low,high --prompt-tokens 100,2000,8000
    """
    bound = target.bound_model(name, engine)
    session = Session.new(platform.node(), bound.tag, bound.engine)
    cases = [Case(effort, length) for effort in efforts for length in lengths]
    options = {"max_tokens": tokens, **({"num_ctx": num_ctx} if num_ctx else {})}
    with nullcontext() if no_log else _opened_log() as log:
        rows, interrupted = _measure(bound, session, cases, runs, options, log)
    if json_:
        click.echo(json.dumps(_report(session, runs, tokens, rows), indent=2))
    else:
        _print_summaries(rows)
    _print_errors(rows)
    if interrupted:
        raise KeyboardInterrupt
    ctx.exit(any(row.error for row in rows))


def _measure(
    bound: BoundModel,
    session: Session,
    cases: Sequence[Case],
    runs: int,
    options: dict[str, Any],
    log: sqlite_utils.Database | None,
) -> tuple[list[Row], bool]:
    """Measure the cases, and log each turn.

    Return what is known of each case for which anything is, and whether Ctrl-C ended it.
    """
    measured: list[Run] = []
    errors: dict[Case, str] = {}
    interrupted = False

    def record(response: llm.Response, run: Run) -> None:
        if log:
            _log(log, session, response, run)

    try:
        with _opened_model(bound) as model:
            benchmark = Benchmark(model, options, lambda: secrets.token_hex(8), record)
            for run in _runs(benchmark, cases, runs, errors):
                measured.append(run)
    except KeyboardInterrupt:
        interrupted = True
    rows = [_row(case, measured, errors, log, session) for case in cases]
    return [row for row in rows if row.summary or row.error], interrupted


def _print_summaries(rows: Sequence[Row]) -> None:
    summaries = [(row.summary, row.earlier) for row in rows if row.summary]
    if summaries:
        (draw_report if is_terminal() else print_report)(summaries)


def _print_errors(rows: Sequence[Row]) -> None:
    for row in rows:
        if row.error:
            click.echo(f"{row.case.effort}, {row.case.prompt_tokens} tokens: {row.error}", err=True)


@contextmanager
def _opened_model(bound: BoundModel) -> Iterator[GptOss]:
    "Open the model's engine and keep it open, so that turns do not pay for opening it."
    with get_provider(bound.engine).open(bound, bound.api_key()) as engine:
        yield GptOss(bound.tag, bound.settings, engine, binding=bound.binding)


def _runs(benchmark: Benchmark, cases: Sequence[Case], runs: int, errors: dict[Case, str]) -> Iterator[Run]:
    """Yield the runs of all cases, and draw the progress. Set the error of a case that cannot be measured.

    Each round measures all cases, so that other load on the machine affects all of them alike.
    """
    with _progress(len(cases) * runs) as step:
        step("Loading the model")
        benchmark.warm_up()
        for number in range(1, runs + 1):
            for case in cases:
                if case in errors:
                    continue
                step(f"{case.effort}, {case.prompt_tokens} tokens, {number} of {runs}")
                try:
                    yield from benchmark.measure(case)
                except GptOssError as error:
                    errors[case] = str(error)
                step("", advance=1)


class _Step:
    def __call__(self, text: str, advance: int = 0) -> None:
        "Show the next step in `text`, and count `advance` steps as done."


@contextmanager
def _progress(total: int) -> Iterator[Any]:
    "Draw a progress bar on standard error, if that is a terminal."
    if not sys.stderr.isatty():
        yield _Step()
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    parts = (TextColumn("{task.description}"), BarColumn(20), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*parts, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=total)

        def step(text: str, advance: int = 0) -> None:
            progress.update(task, description=text or None, advance=advance)

        yield step


@contextmanager
def _opened_log() -> Iterator[sqlite_utils.Database | None]:
    "Open the log. Yield None, after a message, if llm does not log or the log cannot be opened."
    if not logs_on():
        click.echo("The turns are not logged, so they are not compared: `llm logs on` turns it on.", err=True)
        yield None
        return
    path: Path = logs_db_path()
    try:
        database = open_database(path, busy_timeout=PATIENCE)
    except (OSError, sqlite3.Error) as problem:
        click.echo(
            f"The turns are neither logged nor compared: {path} cannot be opened ({problem}).", err=True
        )
        yield None
        return
    with closing(database):
        yield database


def _log(log: sqlite_utils.Database, session: Session, response: llm.Response, run: Run) -> None:
    try:
        log_run(log, session, response, run)
    except sqlite3.Error as problem:
        click.echo(f"A turn was not logged: {problem}.", err=True)


def _row(
    case: Case,
    measured: Sequence[Run],
    errors: dict[Case, str],
    log: sqlite_utils.Database | None,
    session: Session,
) -> Row:
    summary = summarize(case, measured)
    earlier = latest_earlier(log.conn, session, case) if log and summary else None
    return Row(case, summary, earlier, errors.get(case))


def _report(session: Session, runs: int, tokens: int, rows: Sequence[Row]) -> dict[str, Any]:
    "Return the object that `--json` prints."
    results = [
        {
            **row.case._asdict(),
            **_values(row.summary),
            "earlier": {"day": row.earlier.day, **_values(row.earlier.summary)} if row.earlier else None,
            "error": row.error,
        }
        for row in rows
    ]
    return {**session._asdict(), "runs": runs, "tokens": tokens, "results": results}


def _values(summary: Summary | None) -> dict[str, Any]:
    return {name: getattr(summary, name, None) for name in Summary._fields if name != "case"}
