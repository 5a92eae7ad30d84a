"""Stores turns of `llm prompt` and `llm chat` that wait for the log: a file for each, beside the database.

The folder also has the waiting turns of servers (`proxy/log/spool.py`). These files have another suffix,
because they lack the server's data about a request. The next command or server writes them to the log.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, NamedTuple

import llm
from llm.logs import LogStore
from llm.utils import Fragment

from .database import is_transient, unlogged_folder, write_transaction
from .owned_files import OwnedFiles, delete_abandoned
from .response_json import response_fields, to_bytes, to_response
from .unlogged_files import REJECTED, SHELL, entries

# The length of a thread's name, as llm makes it from the first prompt.
NAME_LENGTH = 100


def keep(database: Path, response: llm.Response) -> Path:
    """Store a complete response until it is in the database, and return its file.

    Raises OSError if the folder cannot be written.
    """
    prompt = response.prompt
    data = {
        **response_fields(response),
        "thread_id": response.conversation.id if response.conversation else response.id,
        "thread_name": " ".join((prompt.prompt or prompt.system or "").split())[:NAME_LENGTH],
        "fragments": [_fragment_fields(each) for each in prompt.fragments or []],
        "system_fragments": [_fragment_fields(each) for each in prompt.system_fragments or []],
    }
    folder = unlogged_folder(database)
    path = folder / f"{response.id}{SHELL}"
    with closing(OwnedFiles(folder)) as files:
        files.write(response.id, path, to_bytes(data))
    return path


def waiting_turns(database: Path) -> list[Path]:
    "Return the files of turns that wait, oldest first."
    folder = unlogged_folder(database)
    return [folder / entry.name for entry in entries(folder, SHELL) if entry.is_file]


def recover(log: LogStore, database: Path) -> None:
    "Delete what processes that are gone left in the folder, and write the waiting turns as far as possible."
    delete_abandoned(unlogged_folder(database))
    with suppress(OSError, sqlite3.Error):
        write_waiting(log, database)


def write_turns(log: LogStore, database: Path, responses: Iterable[llm.Response]) -> None:
    """Write the waiting turns, and then all these responses or none of them, as far as the log lacks them.

    Raises OSError or sqlite3.Error if the log cannot be written now, and what llm raises for a turn that it
    cannot write.
    """
    write_waiting(log, database)
    with write_transaction(log.db.conn):
        for response in responses:
            if not is_logged(log, response.id):
                log.log(response)


def write_waiting(log: LogStore, database: Path) -> None:
    """Write the waiting turns to the log, oldest first, each in a transaction of its own.

    A turn that can never be written does not hold up the others: its file is renamed to `.rejected`. Raises
    OSError or sqlite3.Error if the log cannot be written now.
    """
    for path in waiting_turns(database):
        try:
            turn = WaitingTurn.from_fields(json.loads(path.read_bytes()))
        except OSError:  # another process was faster, or it cannot be read
            continue
        except Exception:  # a file can contain anything
            _set_aside(path)
            continue
        try:
            with write_transaction(log.db.conn):
                turn.write_once(log)
        except Exception as error:
            if is_transient(error):
                raise
            _set_aside(path)
        else:
            with suppress(OSError):  # the next process that tries finds it in the log
                path.unlink()


class WaitingTurn(NamedTuple):
    "A turn of LLM's commands that waits: its response, and all fields of its file."

    response: llm.Response
    fields: Mapping[str, Any]

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any]) -> WaitingTurn:
        "Raises KeyError, TypeError or ValueError for fields that `keep` did not write."
        return cls(to_response(fields), fields)

    def write_once(self, log: LogStore) -> None:
        "Write the turn, unless the log has it: its process may have ended before it could delete the file."
        response, fields = self
        if is_logged(log, response.id):
            return
        response.prompt.fragments = [Fragment(*each) for each in fields["fragments"]]  # type: ignore[no-untyped-call]
        response.prompt.system_fragments = [Fragment(*each) for each in fields["system_fragments"]]  # type: ignore[no-untyped-call]
        log.log(response, log.ensure_thread(fields["thread_id"], fields["thread_name"]))


def is_logged(log: LogStore, turn_id: str) -> bool:
    return bool(log.db["turns"].count_where("id = ?", [turn_id]))


def _set_aside(path: Path) -> None:
    with suppress(OSError):  # if that fails, it is tried again later
        path.replace(path.with_suffix(REJECTED))


def _fragment_fields(fragment: str) -> tuple[str, str]:
    return str(fragment), getattr(fragment, "source", "")
