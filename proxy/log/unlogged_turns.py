"""Lists the turns that wait beside the log or were rejected, with the reason, and tries to log them.

It needs no server, and disturbs none: each of them only deletes a turn's file after it is in the log.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, NamedTuple

from llm_gpt_oss.log.database import is_transient, unlogged_folder, write_transaction
from llm_gpt_oss.log.unlogged_files import (
    BEGUN,
    CANCEL,
    DRAFT,
    ENDED,
    LOCK,
    REJECTED,
    SHELL,
    Entry,
    entries,
    is_owned,
)
from llm_gpt_oss.log.waiting_turns import WaitingTurn

from . import turn_json
from .database import LogFile
from .file_access import no_log_error
from .llm_store import ChainStore
from .spool import reason
from .spool_folder import SpoolFolder
from .turn import Turn
from .turn_writer import write_once

# Drafts, locks and requests to cancel.
FILES_OF_PROCESSES = (DRAFT, LOCK, CANCEL)
LATER_ATTEMPT = "select 1 from turns where id = ? and datetime_utc > ?"


class UnloggedTurn(NamedTuple):
    """The file `name` of a turn. `started` is in ISO 8601, None if it cannot be read.

    `problem` is why the log does not take the turn, None if it does.
    """

    name: str
    started: str | None
    problem: str | None


def try_turns(database: Path, *, really: bool) -> Iterator[UnloggedTurn]:
    """Try each turn that the log at `database` lacks, and that is not in progress, oldest first.

    If `really` is set, it is logged and its file is deleted. Otherwise what was written is undone. Raises
    GptOssError if there is neither a log nor a folder of such turns.
    """
    folder = unlogged_folder(database)
    if not database.exists() and not folder.exists():
        raise no_log_error(database)
    if really:
        with suppress(OSError):
            SpoolFolder(folder).recover()
    found = [entry for entry in entries(folder) if not _is_in_use(folder, entry)]
    with closing(LogFile(database)) as file:
        unwritable = None
        for entry in found:
            path, problem = folder / entry.name, unwritable
            try:
                turn = _read(path, entry)
            except FileNotFoundError:
                continue  # another process has logged it
            except (OSError, _NotATurn) as error:
                yield UnloggedTurn(entry.name, None, reason(error))
                continue
            if not unwritable:
                try:
                    _try(file.opened(), turn, really=really)
                except Exception as error:
                    problem = reason(error)
                    # The others are not tried: each would wait for a database that is locked.
                    unwritable = problem if is_transient(error) else None
            if really and not problem:
                with suppress(OSError):  # the next process that tries finds it in the log
                    path.unlink()
            yield UnloggedTurn(entry.name, turn.response.datetime_utc(), problem)


class _NotATurn(ValueError):
    "The message says what it is instead."


class _Undo(Exception):
    "Rolls a transaction back."


def _is_in_use(folder: Path, entry: Entry) -> bool:
    "Whether it is a file that a running process will finish or delete, or that is only left of one."
    if not entry.is_file:
        return False
    if entry.suffix == BEGUN:
        return is_owned(folder, entry)
    return entry.suffix in FILES_OF_PROCESSES


def _read(path: Path, entry: Entry) -> Turn | WaitingTurn:
    if not entry.is_file:
        raise _NotATurn("a folder or a link, and not the file of a turn")
    if entry.suffix not in (BEGUN, ENDED, SHELL, REJECTED):
        raise _NotATurn("not the file of a turn")
    data = path.read_bytes()
    try:
        turn = _parse(json.loads(data))
    except Exception as error:
        raise _NotATurn(f"not a turn ({type(error).__name__}: {error})") from error
    if turn.response.id != entry.turn_id:
        raise _NotATurn(f"a copy of the turn {turn.response.id}")
    return turn


def _parse(fields: Mapping[str, Any]) -> Turn | WaitingTurn:
    "The turn of a server, or else one of LLM's commands."
    return turn_json.from_fields(fields) if "request" in fields else WaitingTurn.from_fields(fields)


def _try(log: ChainStore, turn: Turn | WaitingTurn, *, really: bool) -> None:
    connection, response = log.db.conn, turn.response
    with suppress(_Undo), write_transaction(connection):
        if isinstance(turn, WaitingTurn):
            turn.write_once(log)
        # A client that sent a rejected request again got an answer with the same id. It stays.
        elif not connection.execute(LATER_ATTEMPT, [response.id, response.datetime_utc()]).fetchone():
            write_once(log, turn)
        if not really:
            raise _Undo
