"A log to prune, and whether it is whole."

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from llm.parts import Message

from proxy.log.database import open_log, write_transaction
from proxy.log.prune import PruneResult, prune
from proxy.log.prune_selection import PruneSelection
from proxy.log.turn import Turn
from proxy.log.turn_writer import TurnWriter
from support.logged_turns import turn

TABLES = ["turns", "threads", "messages", "parts", "turn_search", "gpt_oss_requests"]


class Log:
    "A log in which turns are written as they come."

    def __init__(self, path: Path) -> None:
        self.path = path
        self.store = open_log(path)
        self.db = self.store.db
        self.db.conn.execute("pragma synchronous = off")
        self.writer = TurnWriter(self.store)

    def write(self, *messages: Message, **request: Any) -> Turn:
        "As the proxy does."
        written = turn(*messages, **request)
        with write_transaction(self.db.conn):
            self.writer.write(written)
        return written

    def say(self, thread_id: str, *messages: Message, **request: Any) -> Turn:
        "As the shell does: the prompt is the thread so far, and these messages."
        written = turn(*self.store.thread_messages(thread_id), *messages, **request)
        self.store.log(written.response, thread_id=thread_id)
        return written

    def request(self, written: Turn, status: int = 200) -> None:
        "What the proxy keeps beside a turn, for one that another program wrote."
        self.change(
            "insert into gpt_oss_requests"
            " (turn_id, endpoint, status, stored, request, continues, datetime_utc)"
            " values (?, '', ?, 1, '', 0, '')",
            [written.id, status],
        )

    def mark(self, *turns: Turn) -> None:
        "As the API does."
        for each in turns:
            self.change("update gpt_oss_requests set deleted = 1 where turn_id = ?", [each.id])

    def converse(self, thread_id: str, deleted: bool = False) -> None:
        self.change(
            "insert into gpt_oss_conversations (thread_id, created, deleted) values (?, 0, ?)",
            [thread_id, deleted],
        )

    def change(self, sql: str, *rows: Sequence[Any]) -> None:
        with write_transaction(self.db.conn):
            self.db.conn.executemany(sql, rows or [[]])

    def rows(self, sql: str, *values: Any) -> list[Any]:
        "A value a row where there is one column."
        rows = self.db.conn.execute(sql, values).fetchall()
        return [row[0] if len(row) == 1 else row for row in rows]

    def counts(self, *tables: str) -> list[int]:
        return [self.rows(f"select count(*) from {table}")[0] for table in tables or TABLES]

    def thread_of(self, written: Turn) -> str:
        return str(self.rows("select thread_id from turns where id = ?", written.id)[0])

    def tip(self, written: Turn) -> str:
        return str(self.rows("select tip_message_hash from turns where id = ?", written.id)[0])

    def prune(self, *, really: bool = True, vacuum: bool = False, **choice: Any) -> PruneResult:
        pruned = prune(
            self.path, PruneSelection(**choice), really=really, vacuum=vacuum, report=lambda progress: None
        )
        self.check()
        return pruned

    def check(self) -> None:
        assert self.store.verify() == []
        assert self.rows("pragma integrity_check") == ["ok"]
        assert self.rows("pragma foreign_key_check") == []
        # Fails where the index and the table differ.
        self.change("insert into turn_search_fts (turn_search_fts, rank) values ('integrity-check', 1)")


@contextmanager
def opened(path: Path) -> Iterator[Log]:
    log = Log(path)
    try:
        yield log
    finally:
        log.db.close()
