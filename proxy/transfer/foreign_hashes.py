"""Maps hashes of messages in an export to the hashes that they have in this log.

They differ if the message, or one before it, was redacted in only one of the logs.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from llm.logs import LogStore, message_hash
from llm.parts import Message

from ..log.logged_turn import StoredMessage
from ..log.queries import load_chain


class ForeignHashes:
    "The hashes that differ, in a temporary `database`. If several `logs` have a message, the first counts."

    def __init__(self, database: sqlite3.Connection, logs: Sequence[LogStore]) -> None:
        self._database = database
        self._logs = logs
        database.execute("create table hashes (theirs text primary key, ours text) without rowid")

    def chain(self, hash: str) -> list[StoredMessage]:
        "Return the messages up to the one with this hash in the export. Empty if no log has them."
        sql = "select ours from hashes where theirs = ?"
        row = self._database.execute(sql, [hash]).fetchone()
        known = (load_chain(log, row[0] if row else hash) for log in self._logs)
        return next(filter(None, known), [])

    def add(self, after: str | None, messages: Sequence[Message], turn_id: str) -> None:
        "Store the hashes of an exported turn's messages, which follow the message with the hash `after`."
        theirs: list[str] = []
        for message in messages:
            theirs.append(message_hash(message, theirs[-1] if theirs else after))
        for log in self._logs:
            sql = "select tip_message_hash from turns where id = ?"
            row = log.db.conn.execute(sql, [turn_id]).fetchone()
            if row and theirs and row[0] != theirs[-1]:
                ours = load_chain(log, row[0])[-len(theirs) :]
                pairs = [(hash, stored.hash) for hash, stored in zip(theirs, ours, strict=False)]
                self._database.executemany("insert or replace into hashes values (?, ?)", pairs)
