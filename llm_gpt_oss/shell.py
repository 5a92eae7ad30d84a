"""What a person at the shell gets beyond the answer: a word on how it went, and unfinished turns in the log.

llm's own commands log a turn once it is complete: one that breaks off would be gone, with all that had
arrived. Both happen only under `llm prompt` and `llm chat`: a program that uses the models does as it likes.
"""

from __future__ import annotations

import copy
import sqlite3
import time
from collections.abc import Iterable

import click
import llm
import sqlite_utils
from llm.cli import chat, logs_db_path, logs_on, prompt

from .transcript import Note

# What changes the answer that the person is reading. The rest is in the log.
TOLD = ("length", "truncated", "misfit")


def tell(notes: Iterable[Note], *, streamed: bool) -> None:
    "On lines of their own: behind an answer that llm has yet to end, or before one that it has yet to print."
    if _command():
        for note in notes:
            if note.kind in TOLD:
                text = f"\n{note.text}" if streamed else note.text
                click.echo(click.style(text, fg="yellow"), err=True, nl=not streamed)


def end_line(response: llm.Response | llm.AsyncResponse) -> None:
    "Before an error: what was streamed so far has not ended its line."
    if _command() and response.stream and response._stream_events:
        click.echo(err=True)


def log_unfinished(response: llm.Response | llm.AsyncResponse, error: BaseException) -> None:
    "Logs what had arrived when `error` ended the turn, if anything had, and unless logging is off."
    command = _command()
    if command is None or not response._stream_events or not _logging(command):
        return
    turn = _as_it_stands(response)
    turn.response_json = {**(turn.response_json or {}), "error": str(error) or type(error).__name__}
    try:
        with sqlite_utils.Database(command.params.get("database") or logs_db_path()) as database:  # type: ignore[no-untyped-call]
            turn.log_to_db(database)  # type: ignore[no-untyped-call]
    except sqlite3.Error as problem:
        click.echo(f"The unfinished turn could not be logged: {problem}", err=True)


def _command() -> click.Context | None:
    context = click.get_current_context(silent=True)
    return context if context and context.command in (prompt, chat) else None


def _logging(command: click.Context) -> bool:
    if command.params.get("no_log"):
        return False
    return bool(command.params.get("log") or logs_on())  # type: ignore[no-untyped-call]


def _as_it_stands(response: llm.Response | llm.AsyncResponse) -> llm.Response:
    "A copy that llm takes for complete, as it must be to be logged."
    turn = response._to_sync_response() if isinstance(response, llm.AsyncResponse) else copy.copy(response)
    turn._done, turn._end = True, time.monotonic()
    return turn
