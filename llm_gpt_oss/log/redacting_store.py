"llm's store of turns, which redacts what it writes."

from __future__ import annotations

from collections.abc import Sequence

import llm
import sqlite_utils
from llm.logs import LogStore
from llm.parts import Message

from .redaction import Redaction


class RedactingStore(LogStore):
    def __init__(self, db: sqlite_utils.Database, redaction: Redaction) -> None:
        super().__init__(db)  # type: ignore[no-untyped-call]
        self.redaction = redaction

    def log(self, response: llm.Response, thread_id: str | None = None) -> str:
        turn_id: str = super().log(self.redaction.response(response), thread_id)
        return turn_id

    def ensure_chain(
        self, messages: Sequence[Message], parent: str | None = None, fragments: Sequence[str] | None = None
    ) -> str | None:
        tip: str | None = super().ensure_chain([*map(self.redaction.message, messages)], parent, fragments)
        return tip
