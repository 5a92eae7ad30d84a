"""Writes the lines of an export to a log, without the turns that the log has already.

Turns are compared by their ids. A conversation for fine-tuning has no ids: the log has it if a turn ends with
the same messages, or with messages that look the same to a client.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, BinaryIO

from llm.logs import LogStore
from pydantic import ValidationError

from llm_gpt_oss.log.database import is_transient, write_transaction

from ..log.llm_store import ChainStore, StoredPrefix
from ..log.logged_turn import StoredMessage, with_hashes
from ..log.thread_match import hash_prompt
from ..log.turn_writer import TurnWriter
from .chat_import import chat_turns
from .foreign_hashes import ForeignHashes
from .responses_import import response_turn
from .seen_keys import temporary_database
from .turn_format import VERSION
from .turn_import import own_messages, write_turn

# Longer lines are refused. In bytes.
MAX_LINE = 2**26
# How many lines, and about how many bytes, one transaction writes. Other programs wait meanwhile.
LINES = 50
BYTES = 2**20
# The longest reason, in characters.
MAX_REASON = 300

CONVERSATION = """
select 1 where exists (select 1 from turns where tip_message_hash = :tip) or exists (
    select 1 from gpt_oss_requests
    where visible_tip = :visible and instructions is :instructions and status = 200 and not deleted
)
"""


@dataclass(frozen=True, slots=True)
class Line:
    "A line of the file. `number` counts from 1. `text` is None if the line is too long."

    number: int
    text: bytes | None


@dataclass(frozen=True, slots=True)
class Outcome:
    "The result of a line: how many turns were `added` and `known`, or the `problem` that it has."

    number: int
    added: int = 0
    known: int = 0
    problem: str | None = None


def read_lines(file: BinaryIO) -> Iterator[Line]:
    "Yield the lines that are not empty."
    number = 0
    while text := file.readline(MAX_LINE + 1):
        number += 1
        if len(text) > MAX_LINE and not text.endswith(b"\n"):
            while (rest := file.readline(MAX_LINE)) and not rest.endswith(b"\n"):
                pass
            yield Line(number, None)
        elif text.strip():
            yield Line(number, text)


def import_lines(
    lines: Iterable[Line], log: ChainStore, model: str, known: LogStore | None = None
) -> Iterator[Outcome]:
    """Write each line to the log, and yield its outcome.

    `model` is the model of conversations for fine-tuning, which do not name one. Turns that the log `known`
    has are not written either. Raises OSError or sqlite3.Error if the log cannot be written.
    """
    with temporary_database() as database:
        logs = [log, known] if known else [log]
        importer = _Importer(log, logs, model, ForeignHashes(database, logs))
        for batch in _batches(lines):
            with write_transaction(log.db.conn):
                outcomes = [importer.write(line) for line in batch]
            yield from outcomes


def _batches(lines: Iterable[Line]) -> Iterator[list[Line]]:
    batch: list[Line] = []
    size = 0
    for line in lines:
        batch.append(line)
        size += len(line.text or b"")
        if len(batch) == LINES or size > BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


class _Importer:
    "Writes the turns that none of `logs` has to one log."

    def __init__(self, log: ChainStore, logs: Sequence[LogStore], model: str, hashes: ForeignHashes) -> None:
        self._log = log
        self._logs = logs
        self._model = model
        self._hashes = hashes
        self._writer = TurnWriter(log)

    def write(self, line: Line) -> Outcome:
        "Write a line. Call this in a transaction that holds the write lock."
        if line.text is None:
            return Outcome(line.number, problem=f"the line is longer than {MAX_LINE >> 20} MiB")
        connection = self._log.db.conn
        connection.execute("savepoint line")
        try:
            added, known = self._write(json.loads(line.text))
        except Exception as problem:  # a line can contain anything
            if is_transient(problem):
                raise
            connection.execute("rollback to line")
            return Outcome(line.number, problem=_reason(problem))
        finally:
            if connection.in_transaction:
                connection.execute("release line")
        return Outcome(line.number, added, known)

    def _write(self, line: Any) -> tuple[int, int]:
        "Return how many turns were added, and how many the log had already."
        match line:
            case {"turn": int(), "response": {"id": str(turn_id)}}:
                return self._write_turn(line, turn_id)
            case {"response": dict(), "input": list()}:
                turn = response_turn(line).to_turn()
                if self._has_turn(turn.id):
                    return 0, 1
                self._writer.write(turn)
                return 1, 0
            case {"messages": list()}:
                return self._write_conversation(line)
        raise ValueError("it is not a line of `logs export` in the format turns, responses or chat")

    def _write_turn(self, line: Mapping[str, Any], turn_id: str) -> tuple[int, int]:
        if line["turn"] != VERSION:
            raise ValueError("a newer version of llm-gpt-oss wrote this line: update this one")
        messages, known = own_messages(line), self._has_turn(turn_id)
        if not known:
            write_turn(self._log, line, self._before(line["after"]))
        self._hashes.add(line["after"], messages, turn_id)
        return (0, 1) if known else (1, 0)

    def _write_conversation(self, line: Mapping[str, Any]) -> tuple[int, int]:
        """Write the turns of a conversation that the log does not have.

        Their prompts repeat the conversation, so it is hashed once for all of them.
        """
        turns = [*chat_turns(line, self._model)]
        messages = [*turns[-1].prompt, *turns[-1].answer]
        whole, chain = hash_prompt(messages), [*with_hashes(messages)]
        added = end = 0
        for each in turns:
            stored = StoredPrefix(end, chain[end - 1].hash) if end else None
            begin, end = len(each.prompt), len(each.prompt) + len(each.answer)
            visible = whole.prefix_hashes[: end - whole.instructions]
            if self._has_conversation(chain[end - 1].hash, visible[-1], whole.instructions_hash):
                continue
            hashes = visible[: begin - whole.instructions]
            hashed = replace(whole, messages=[*each.prompt], prefix_hashes=hashes, stored=stored)
            self._writer.write(each.to_turn(), hashed)
            added += 1
        return added, len(turns) - added

    def _has_turn(self, turn_id: str) -> bool:
        return any(log.db["turns"].count_where("id = ?", [turn_id]) for log in self._logs)

    def _has_conversation(self, tip: str, visible: str | None, instructions: str | None) -> bool:
        parameters = {"tip": tip, "visible": visible, "instructions": instructions}
        return any(log.db.conn.execute(CONVERSATION, parameters).fetchone() for log in self._logs)

    def _before(self, hash: str | None) -> list[StoredMessage]:
        if hash is None:
            return []
        chain = self._hashes.chain(hash)
        if not chain:
            raise ValueError(
                f"the messages before it, up to {hash!r}, are neither in the log nor in earlier lines"
            )
        return chain


def _reason(problem: Exception) -> str:
    match problem:
        case ValidationError():
            first = problem.errors(include_url=False, include_input=False)[0]
            text = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
        case json.JSONDecodeError() | UnicodeDecodeError() | RecursionError():
            text = f"it is not JSON: {problem}"
        case KeyError():
            text = f"{problem} is missing"
        case _:
            text = str(problem) or type(problem).__name__
    line = " ".join(text.split())
    return line if len(line) <= MAX_REASON else line[: MAX_REASON - 1] + "…"
