"""Logs a turn that an error or Ctrl-C interrupted under `llm prompt` and `llm chat`.

llm's own commands log only complete turns, so the partial output of this one would be lost.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

import click
import llm
import sqlite_utils
from llm.logs import LogStore

from .llm_internals import has_output, partial_response
from .terminal_output import earlier_responses, llm_command


def log_interrupted(response: llm.Response | llm.AsyncResponse, error: BaseException) -> None:
    """Log the partial output of a turn that `error` ended, if there is any output and logging is on.

    Earlier rounds of a chain are logged too, because llm logs a chain only when all of it is complete.
    """
    command = llm_command()
    if command is None or not _is_logging(command):
        return
    from llm.cli import logs_db_path

    turns = [partial_response(earlier) for earlier in earlier_responses(response)]
    if has_output(response):
        turn = partial_response(response)
        turn.response_json = {**(turn.response_json or {}), "error": str(error) or "interrupted"}
        turns.append(turn)
    try:
        with sqlite_utils.Database(command.params.get("database") or logs_db_path()) as database:  # type: ignore[no-untyped-call]
            _log(turns, database)
    except sqlite3.Error as problem:
        click.echo(f"The interrupted turn was not logged: {problem}", err=True)


def _log(turns: Iterable[llm.Response], database: sqlite_utils.Database) -> None:
    store = LogStore(database)  # type: ignore[no-untyped-call]
    for turn in turns:
        if not database.table("turns").count_where("id = ?", [turn.id]):
            store.log(turn)


def _is_logging(command: click.Context) -> bool:
    "Whether this command logs to the database: its options win over `llm logs on` and `off`."
    from llm.cli import logs_on

    if command.params.get("no_log"):
        return False
    return bool(command.params.get("log") or logs_on())  # type: ignore[no-untyped-call]
