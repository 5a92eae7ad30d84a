"""Runs `llm prompt` and `llm chat` so that none of their turns is lost.

llm's own commands log a turn only when the whole command has succeeded. They fail if the log is locked, if
many of them run at once, or if an argument is not UTF-8. `docs/upstream/` has patches for llm.

Prompts to other plugins' models import this module too. So what only this plugin's turns, turns that wait and
redaction need is imported when they need it.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import click
import llm
import sqlite_utils
from llm.logs import LogStore

from ..llm_internals import has_output, partial_response, replaced_log_to_db
from ..standard_output import OutputClosed, is_output_closed
from .database import is_transient, open_database, unlogged_folder
from .redaction import Redaction
from .utf8_input import CONVERT, require_utf8

# How many milliseconds to wait for a process that has locked the log, before and after the answer. Logging a
# turn takes a few.
OPEN_TIMEOUT = 2000
LOG_TIMEOUT = 5000

_META_KEY = __name__

AnyResponse: TypeAlias = "llm.Response | llm.AsyncResponse"


class StartedTurn:
    "A turn that has begun. `record` stores the usage and the outcome so far in its response."

    def __init__(self, response: AnyResponse, record: Callable[[AnyResponse], None]) -> None:
        self.response = response
        self.ended = False
        self.error: str | None = None
        self._record = record

    def end(self, error: BaseException | None = None) -> None:
        "Record how the turn ended. Only the first call counts."
        if not self.ended:
            self.ended = True
            self.error = None if error is None else _reason(error)
            self._record(self.response)

    @property
    def loggable(self) -> llm.Response:
        "The response, complete or not, in the form that llm logs."
        response = partial_response(self.response)
        if self.error is not None:
            response.response_json = {**(response.response_json or {}), "error": self.error}
        return response


def track(response: AnyResponse, record: Callable[[AnyResponse], None]) -> StartedTurn:
    "Begin a turn. The running command, if there is one, logs it even if it breaks off."
    turn = StartedTurn(response, record)
    context = click.get_current_context(silent=True)
    if context and (log := context.meta.get(_META_KEY)):
        log.add(turn)
    return turn


def _reason(error: BaseException) -> str:
    "Return the message of the error, or of the GeneratorExit behind it, if asyncio closed a generator."
    cause: BaseException | None = error
    while cause and not isinstance(cause, GeneratorExit):
        cause = cause.__context__
    return str(cause or error) or "interrupted"


def run_command(callback: Callable[..., object], parameters: Mapping[str, Any]) -> None:
    """Run the callback of `llm prompt` or `llm chat`.

    A log that cannot be opened is replaced with an empty one in memory while the command runs. Raises
    ClickException for text that is not UTF-8, for a conversation in a log that cannot be opened, and for a
    mistake in the file of `secret_patterns`.
    """
    from llm.cli import logs_db_path

    context = click.get_current_context()
    require_utf8(context)
    path = Path(parameters["database"] or logs_db_path())  # type: ignore[no-untyped-call]
    redaction = Redaction.load()
    problem = _open_problem(path, redaction)
    if problem and (parameters["_continue"] or parameters["conversation_id"]):
        raise click.ClickException(
            f"The conversation cannot be loaded, because the log {path} cannot be opened: {problem}. "
            "Try again later, or leave out -c and --cid."
        )
    with ExitStack() as stack, _quiet_async_generators():
        log = context.meta[_META_KEY] = CommandLog(path, stack, redaction, in_memory=problem is not None)
        stack.enter_context(replaced_log_to_db(log.log_to_db))
        try:
            callback(**{**parameters, **({"database": ":memory:"} if problem else {})})
        except BaseException as error:
            if log.wants_interrupted_turns(parameters):
                log.log_started_turns(OutputClosed() if is_output_closed(error) else error)
            if isinstance(error, UnicodeDecodeError):
                raise click.ClickException(f"The input is not valid UTF-8: {error}. {CONVERT}") from error
            if not (isinstance(error, sqlite3.Error) and log.waiting and parameters.get("json_output")):
                raise
            click.echo(_logs_json(log.waiting))
        if log.is_turn_lost:
            context.exit(1)


class CommandLog:
    """The log at `path`, as one command writes it.

    `in_memory` is whether llm's own code uses an empty log in memory. `stack` is closed at the command's end.
    """

    def __init__(self, path: Path, stack: ExitStack, redaction: Redaction, *, in_memory: bool) -> None:
        self._path = path
        self._stack = stack
        self._redaction = redaction
        self._in_memory = in_memory
        self._turns: list[StartedTurn] = []
        self._logged_ids: set[str] = set()
        self.waiting: list[llm.Response] = []
        self.is_turn_lost = False

    def add(self, turn: StartedTurn) -> None:
        from .exit_signals import exit_on_signals

        if not self._turns:
            self._stack.enter_context(exit_on_signals())
        self._turns.append(turn)

    def log_to_db(
        self, original: Callable[..., None], response: llm.Response, database: sqlite_utils.Database
    ) -> None:
        "Log a complete response in place of `original`, llm's own method, which logs other plugins' models."
        if self._in_memory:
            original(response, database)
        if any(turn.response.id == response.id for turn in self._turns):
            self._log(response)
        elif self._in_memory:
            with sqlite_utils.Database(self._path) as on_disk:
                self._log_other(original, response, on_disk)
        else:
            self._log_other(original, response, database)

    def wants_interrupted_turns(self, parameters: Mapping[str, Any]) -> bool:
        "Whether this command logs. Its options take precedence over `llm logs on` and `off`."
        from llm.cli import logs_on

        if parameters.get("no_log"):
            return False
        return bool(parameters.get("log") or logs_on())  # type: ignore[no-untyped-call]

    def log_started_turns(self, error: BaseException) -> None:
        """Log the turns that are not logged yet, as far as they have output.

        These are the one that `error` ended, and earlier rounds of its chain.
        """
        for turn in self._turns:
            turn.end(error)
        responses = [turn.loggable for turn in self._turns if has_output(turn.response)]
        if new := [response for response in responses if response.id not in self._logged_ids]:
            self._log(*new)

    def _log_other(
        self, original: Callable[..., None], response: llm.Response, database: sqlite_utils.Database
    ) -> None:
        if self._redaction:
            from .redacting_store import RedactingStore

            RedactingStore(database, self._redaction).log(response)
        else:
            original(response, database)

    def _log(self, *responses: llm.Response) -> None:
        from .redacting_store import RedactingStore
        from .waiting_turns import write_turns

        try:
            with closing(open_database(self._path, busy_timeout=LOG_TIMEOUT)) as database:
                write_turns(RedactingStore(database, self._redaction), self._path, responses)
        except Exception as error:
            self._keep(responses, error)
        self._logged_ids |= {response.id for response in responses}

    def _keep(self, responses: tuple[llm.Response, ...], error: Exception) -> None:
        from .waiting_turns import keep

        folder = unlogged_folder(self._path)
        try:
            for response in responses:
                keep(self._path, response)
                self.waiting.append(response)
        except OSError as problem:
            self.is_turn_lost = True
            click.echo(
                f"The turn is lost: the log {self._path} cannot be written ({error}), nor can {folder} "
                f"({problem}).",
                err=True,
            )
        else:
            # In a chat the answer's line has not ended yet.
            start = "\n" if click.get_current_context().command.name == "chat" else ""
            later = (
                "The next prompt that can write the log, or a start of the server, moves it there."
                if is_transient(error)
                else "`llm gpt-oss logs waiting --retry` tries it again."
            )
            click.echo(
                f"{start}The turn waits in {folder}, because the log cannot be written: {error}. {later}",
                err=True,
            )


@contextmanager
def _quiet_async_generators() -> Iterator[None]:
    """Keep asyncio from logging errors about generators that are closed already.

    If printing an answer fails under --async, llm leaves the generators of the answer open. asyncio then
    closes all of them at once, although each of them closes the next one itself.
    """
    logger = logging.getLogger("asyncio")
    logger.addFilter(_drop_generator_errors)
    try:
        yield
    finally:
        logger.removeFilter(_drop_generator_errors)


def _drop_generator_errors(record: logging.LogRecord) -> bool:
    return not record.getMessage().startswith("an error occurred during closing of asynchronous generator")


def _open_problem(path: Path, redaction: Redaction) -> Exception | None:
    "Create and migrate the log, and write waiting turns to it. Return why it cannot be opened, or None."
    try:
        with closing(open_database(path, busy_timeout=OPEN_TIMEOUT)) as database:
            if unlogged_folder(path).is_dir():
                from .redacting_store import RedactingStore
                from .waiting_turns import recover

                recover(RedactingStore(database, redaction), path)
    except Exception as error:
        if not is_transient(error):
            raise
        return error
    return None


def _logs_json(responses: list[llm.Response]) -> str:
    "Return what --json prints for these responses, which are not in the log."
    from llm.cli import logs_json_for_response_ids

    with sqlite_utils.Database(memory=True) as database:
        store = LogStore(database)  # type: ignore[no-untyped-call]
        ids = [store.log(response) for response in responses]
        return str(logs_json_for_response_ids(database, ids))  # type: ignore[no-untyped-call]
