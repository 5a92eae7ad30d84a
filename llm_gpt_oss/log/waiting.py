"""Turns of `llm prompt` and `llm chat` that wait for the log: a file for each, beside the database.

They lie in the folder of the server's own waiting turns (`proxy/log/spool.py`), under names of their own,
because they lack what the server knows of a request. The next command or server writes them to the log.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import llm
from llm.logs import LogStore
from llm.utils import Fragment

from .database import is_transient, write_transaction
from .response_json import response_fields, to_bytes, to_response
from .unlogged import REJECTED, SHELL, SHELL_DRAFT, entries, unlogged_folder

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
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / f"{response.id}{SHELL}"
    draft = path.with_suffix(SHELL_DRAFT)
    with open(os.open(draft, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "wb") as file:
        file.write(to_bytes(data))
    draft.replace(path)
    return path


def waiting_turns(database: Path) -> list[Path]:
    "The files of turns that wait, oldest first."
    folder = unlogged_folder(database)
    return [folder / entry.name for entry in entries(folder, SHELL) if entry.is_file]


def write_waiting(log: LogStore, database: Path) -> None:
    """Write the waiting turns to the log, oldest first, each in a transaction of its own.

    A turn that can never be written does not hold up the others: its file is renamed to `.rejected`. Raises
    OSError or sqlite3.Error if the log cannot be written now.
    """
    for path in waiting_turns(database):
        try:
            data = json.loads(path.read_bytes())
            response = to_response(data)
        except OSError:  # another process was faster, or it cannot be read
            continue
        except Exception:  # whatever somebody may have put there
            path.replace(path.with_suffix(REJECTED))
            continue
        try:
            with write_transaction(log.db.conn):
                _log(log, response, data)
        except Exception as error:
            if is_transient(error):
                raise
            path.replace(path.with_suffix(REJECTED))
        else:
            path.unlink(missing_ok=True)


def is_logged(log: LogStore, turn_id: str) -> bool:
    return bool(log.db["turns"].count_where("id = ?", [turn_id]))


def _log(log: LogStore, response: llm.Response, data: Mapping[str, Any]) -> None:
    if is_logged(log, response.id):
        return  # its process ended before it could delete the file
    response.prompt.fragments = [Fragment(*fields) for fields in data["fragments"]]  # type: ignore[no-untyped-call]
    response.prompt.system_fragments = [Fragment(*fields) for fields in data["system_fragments"]]  # type: ignore[no-untyped-call]
    log.log(response, log.ensure_thread(data["thread_id"], data["thread_name"]))


def _fragment_fields(fragment: str) -> tuple[str, str]:
    return str(fragment), getattr(fragment, "source", "")
