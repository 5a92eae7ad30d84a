"A log to prune, and a check that it is consistent."

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from llm.parts import Message

from llm_gpt_oss.log.database import write_transaction
from proxy.log.prune import PruneResult, prune
from proxy.log.prune_selection import PruneSelection
from proxy.log.turn import Turn
from support.logged_turns import turn
from support.turn_logs import TurnLog

TABLES = ["turns", "threads", "messages", "parts", "turn_search", "gpt_oss_requests"]


class Log(TurnLog):
    "A log in which turns are written as the proxy, the shell and the API do."

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.path = path
        self.db.conn.execute("pragma synchronous = off")

    def say(self, thread_id: str, *messages: Message, **request: Any) -> Turn:
        "Writes a turn as the shell does: the prompt is the thread so far, and these messages."
        written = turn(*self.store.thread_messages(thread_id), *messages, **request)
        self.store.log(written.response, thread_id=thread_id)
        return written

    def add_request(self, written: Turn, status: int = 200) -> None:
        "Adds the row that the proxy writes beside a turn, to a turn of another program."
        self.change(
            "insert into gpt_oss_requests"
            " (turn_id, endpoint, status, stored, request, continues, datetime_utc)"
            " values (?, '', ?, 1, '', 0, '')",
            [written.id, status],
        )

    def mark(self, *turns: Turn) -> None:
        "Marks turns as deleted, as the API does."
        for written in turns:
            self.change("update gpt_oss_requests set deleted = 1 where turn_id = ?", [written.id])

    def run_conversation(self, thread_id: str, deleted: bool = False) -> None:
        "Makes the thread a conversation of the API."
        self.change(
            "insert into gpt_oss_conversations (thread_id, created, deleted) values (?, 0, ?)",
            [thread_id, deleted],
        )

    def change(self, sql: str, *rows: Sequence[Any]) -> None:
        with write_transaction(self.db.conn):
            self.db.conn.executemany(sql, rows or [[]])

    def rows(self, sql: str, *values: Any) -> list[Any]:
        "The rows of a query; those with one column as its value."
        rows = self.db.conn.execute(sql, values).fetchall()
        return [row[0] if len(row) == 1 else row for row in rows]

    def counts(self, *tables: str) -> list[int]:
        return [self.rows(f"select count(*) from {table}")[0] for table in tables or TABLES]

    def tip(self, written: Turn) -> str:
        return str(self.rows("select tip_message_hash from turns where id = ?", written.id)[0])

    def prune(self, *, really: bool = True, vacuum: bool = False, **selection: Any) -> PruneResult:
        pruned = prune(
            self.path, PruneSelection(**selection), really=really, vacuum=vacuum, report=lambda progress: None
        )
        self.check_integrity()
        return pruned

    def check_integrity(self) -> None:
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
