"A log in which tests write turns as the proxy does."

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from llm.parts import Message

from llm_gpt_oss.log.database import write_transaction
from llm_gpt_oss.log.redaction import NO_REDACTION, Redaction
from proxy.log.database import open_log
from proxy.log.thread_match import ThreadMatcher
from proxy.log.turn import Turn
from proxy.log.turn_writer import TurnWriter
from support.logged_turns import turn


class TurnLog:
    "The log at `path`, which is created if it does not exist."

    def __init__(self, path: Path, redaction: Redaction = NO_REDACTION) -> None:
        self.store = open_log(path, redaction=redaction)
        self.db = self.store.db
        self.matcher = ThreadMatcher(self.store)
        self._writer = TurnWriter(self.store)

    def write(self, *messages: Message, **fields: Any) -> Turn:
        "Writes a turn; `fields` are the arguments of `logged_turns.turn`."
        written = turn(*messages, **fields)
        self.put(written)
        return written

    def put(self, written: Turn, *hashed: Any) -> None:
        with write_transaction(self.db.conn):
            self._writer.write(written, *hashed)

    def restore(self, *messages: Message, actor: str | None = None) -> Sequence[Message]:
        return self.matcher.history(messages, actor)

    def thread_of(self, written: Turn) -> str:
        thread_id: str = self.db["turns"].get(written.id)["thread_id"]
        return thread_id

    def thread(self, written: Turn) -> dict[str, Any]:
        row: dict[str, Any] = self.db["threads"].get(self.thread_of(written))
        return row

    def request(self, written: Turn) -> dict[str, Any]:
        row: dict[str, Any] = self.db["gpt_oss_requests"].get(written.id)
        return row
