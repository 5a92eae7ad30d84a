"""What a person at the shell gets beyond the answer: a word on how it went, and unfinished turns in the log.

llm's own commands log a turn once it is complete: one that breaks off would be gone, with all that had
arrived. Both happen only under `llm prompt` and `llm chat`: a program that uses the models does as it likes.
"""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterable
from typing import Any, cast

import click
import llm
import sqlite_utils
from llm.logs import LogStore

from .llm_internals import has_output, partial_response
from .turn.transcript import Note

# What changes the answer that the person is reading. The rest is in the log.
PRINTED_KINDS = ("length", "truncated", "misfit")


def print_label(label: str | None, response: llm.Response | llm.AsyncResponse) -> None:
    "What a model was labelled with, above its answer: once for a chain."
    if label and _command() and not response.prompt.tool_results:
        click.echo(click.style(label, fg="yellow"), err=True)


def print_notes(notes: Iterable[Note], *, streamed: bool) -> None:
    "On lines of their own: behind an answer that llm has yet to end, or before one that it has yet to print."
    if _command():
        for note in notes:
            if note.kind in PRINTED_KINDS:
                text = f"\n{note.text}" if streamed else note.text
                click.echo(click.style(text, fg="yellow"), err=True, nl=not streamed)


def end_line(response: llm.Response | llm.AsyncResponse) -> None:
    "Before an error: what was streamed so far, in this round of a chain or an earlier one, is on its line."
    if _command() and response.stream and (has_output(response) or _earlier(response)):
        click.echo(err=True)


def log_interrupted(response: llm.Response | llm.AsyncResponse, error: BaseException) -> None:
    """Logs what had arrived when `error` ended the turn, if anything had, and unless logging is off.

    So are the rounds of a chain before it: llm logs a chain when all of it is over.
    """
    command = _command()
    if command is None or not _logging(command):
        return
    from llm.cli import logs_db_path

    turns = [partial_response(earlier) for earlier in _earlier(response)]
    if has_output(response):
        turn = partial_response(response)
        turn.response_json = {**(turn.response_json or {}), "error": str(error) or "interrupted"}
        turns.append(turn)
    try:
        with sqlite_utils.Database(command.params.get("database") or logs_db_path()) as database:  # type: ignore[no-untyped-call]
            _log(turns, database)
    except sqlite3.Error as problem:
        click.echo(f"The unfinished turn could not be logged: {problem}", err=True)


def _earlier(response: llm.Response | llm.AsyncResponse) -> list[llm.Response | llm.AsyncResponse]:
    "The turns of the same conversation that this process has seen."
    return cast(list[Any], response.conversation.responses) if response.conversation else []


def _log(turns: Iterable[llm.Response], database: sqlite_utils.Database) -> None:
    store = LogStore(database)  # type: ignore[no-untyped-call]
    for turn in turns:
        if not database.table("turns").count_where("id = ?", [turn.id]):
            store.log(turn)


def _command() -> click.Context | None:
    context = click.get_current_context(silent=True)
    # Not imported for this: that loads every plugin of llm's, and its commands run only where it was.
    cli = sys.modules.get("llm.cli")
    return context if context and cli and context.command in (cli.prompt, cli.chat) else None


def _logging(command: click.Context) -> bool:
    from llm.cli import logs_on

    if command.params.get("no_log"):
        return False
    return bool(command.params.get("log") or logs_on())  # type: ignore[no-untyped-call]
