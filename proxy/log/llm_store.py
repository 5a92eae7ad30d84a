"""llm's store of turns, which here does not repeat the same work for each turn of a long conversation."""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from copy import copy
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

import llm
import sqlite_utils
from llm.logs import condense_payload, message_hash
from llm.parts import Message
from sqlite_utils.db import Column, NotFoundError, Table, quote_identifier

from llm_gpt_oss.llm_internals import write_part
from llm_gpt_oss.log.redacting_store import RedactingStore

# From this number of messages on, finding the first new one is faster than a query for each message.
MANY_MESSAGES = 4
SQLITE_TYPES = (str, int, float, bytes, type(None))
# SQLite's largest integer. An engine may send a larger count of tokens, which must not cost the turn.
MAX_INTEGER = 2**63 - 1


class CachedSchemaTable(Table):
    "A table whose columns do not change."

    @cached_property
    def columns(self) -> list[Column]:
        return super().columns

    @cached_property
    def pks(self) -> list[str]:
        return super().pks

    def insert(  # type: ignore[override]
        self, record: dict[str, Any], *, replace: bool = False, **options: Any
    ) -> Table:
        """Inserts a row with a statement that is built once.

        sqlite-utils takes longer to build it than SQLite takes to run it. It still inserts rows outside a
        transaction, and rows with values that are not of SQLite's own types.
        """
        plain = all(type(value) in SQLITE_TYPES for value in record.values())
        if options or not plain or not self.db.conn.in_transaction:
            return super().insert(record, replace=replace, **options)
        values = [min(value, MAX_INTEGER) if type(value) is int else value for value in record.values()]
        cursor = self.db.conn.execute(_insert_sql(self.name, tuple(record), replace), values)
        self.last_rowid = self.last_pk = cursor.lastrowid
        return self

    def update(self, pk_values: Any, updates: dict[str, Any] | None = None, **options: Any) -> Table:  # type: ignore[override]
        "Like `insert`: sqlite-utils reads the row before, and builds the statement each time."
        if options or not updates or not isinstance(pk_values, str) or not self.db.conn.in_transaction:
            return super().update(pk_values, updates, **options)
        sql = _update_sql(self.name, self.pks[0], tuple(updates))
        if not self.db.conn.execute(sql, [*updates.values(), pk_values]).rowcount:
            raise NotFoundError
        return self


@lru_cache
def _insert_sql(table: str, columns: Sequence[str], replace: bool) -> str:
    names = ", ".join(map(quote_identifier, columns))
    values = ", ".join("?" * len(columns))
    return (
        f"insert {'or replace ' if replace else ''}into {quote_identifier(table)} ({names}) values ({values})"
    )


@lru_cache
def _update_sql(table: str, key: str, columns: Sequence[str]) -> str:
    values = ", ".join(f"{quote_identifier(column)} = ?" for column in columns)
    return f"update {quote_identifier(table)} set {values} where {quote_identifier(key)} = ?"


class CachedSchemaDatabase(sqlite_utils.Database):
    """A database whose schema does not change.

    For each row that it writes, sqlite-utils looks up the names of all tables several times and opens a
    savepoint, which takes a third of the time to log a turn. Here the schema is looked up once, and a
    nested transaction is part of the outer one: an error in it must roll back the outer one
    (`write_transaction`).
    """

    @cached_property
    def _tables(self) -> list[str]:
        return super().table_names()

    @cached_property
    def _views(self) -> list[str]:
        return super().view_names()

    @cached_property
    def _tables_by_name(self) -> dict[str, CachedSchemaTable]:
        return {name: CachedSchemaTable(self, name) for name in self._tables}

    def table(self, table_name: str, **options: Any) -> Table:
        cached = None if options else self._tables_by_name.get(table_name)
        return cached or super().table(table_name, **options)

    def table_names(self, fts4: bool = False, fts5: bool = False) -> list[str]:
        return super().table_names(fts4, fts5) if fts4 or fts5 else self._tables

    def view_names(self) -> list[str]:
        return self._views

    @contextmanager
    def atomic(self) -> Iterator[sqlite_utils.Database]:
        with nullcontext() if self.conn.in_transaction else super().atomic():
            yield self


class StoredPrefix(NamedTuple):
    "The first `length` messages of a prompt, where they are a chain in the log that ends at `tip`."

    length: int
    tip: str


class ChainStore(RedactingStore):
    "llm's store, for clients that send the whole conversation with each turn."

    _stored: StoredPrefix | None = None

    def log(
        self, response: llm.Response, thread_id: str | None = None, stored: StoredPrefix | None = None
    ) -> str:
        """Logs a response, as llm's method does, but does not hash the messages that are `stored` again.

        `response_json` is stored whole. llm would replace what it repeats of the answer and of the tools'
        descriptions. For that it compiles all of them to one regular expression, which takes two seconds for
        each megabyte.
        """
        self._stored = stored
        without_json = copy(response)
        without_json.response_json = None
        try:
            turn_id: str = super().log(without_json, thread_id)
        finally:
            self._stored = None
        if response.response_json is not None:
            sql = "update turns set response_json = ? where id = ?"
            self.db.conn.execute(sql, [_response_json(self.redaction.response_json(response)), turn_id])
        return turn_id

    def ensure_chain(
        self, messages: Sequence[Message], parent: str | None = None, fragments: Sequence[str] | None = None
    ) -> str | None:
        """Stores messages as a chain and returns its last hash, as llm's method does.

        llm queries the database for each message, and hashes it once more. But a hash covers all earlier
        messages: if a message is in the log, so are those before it.
        """
        if parent is None and self._stored and self._has(self._stored.tip):
            messages, parent = messages[self._stored.length :], self._stored.tip
        if fragments or len(messages) < MANY_MESSAGES:
            tip: str | None = super().ensure_chain(messages, parent, fragments)
            return tip
        messages = [*map(self.redaction.message, messages)]
        hashes: list[str] = []
        for message in messages:
            hashes.append(message_hash(message, hashes[-1] if hashes else parent))
        with self.db.atomic():
            new = bisect_left(hashes, True, key=lambda hash: not self._has(hash))
            for n in range(new, len(messages)):
                self._insert(messages[n], hashes[n], hashes[n - 1] if n else parent)
        return hashes[-1]

    def _insert(self, message: Message, hash: str, parent: str | None) -> None:
        metadata = json.dumps(message.provider_metadata) if message.provider_metadata else None
        row = {"hash": hash, "parent_hash": parent, "role": message.role, "provider_metadata": metadata}
        self.db["messages"].insert(row)
        for position, part in enumerate(message.parts):
            write_part(self, hash, position, part)

    def _has(self, hash: str) -> bool:
        sql = "select 1 from messages where hash = ?"
        return self.db.conn.execute(sql, [hash]).fetchone() is not None


def _response_json(value: Any) -> str:
    "Return the value as llm stores it: objects that would look like its references are escaped."
    text = json.dumps(value)
    return condense_payload(value, ()) or text if '"$' in text else text
