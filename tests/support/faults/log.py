"Reads the log, as somebody with sqlite3 would."

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.faults.row import expect, wait_for

TURNS = "select id, tip_message_hash as tip, response_json, thread_id, token_details from turns"
REQUEST = "select status, error, request, actor from gpt_oss_requests where turn_id = ?"
# The parts of an answer. The last message of a turn without one is the user's.
PARTS = """
select type, text from parts join messages on messages.hash = message_hash
where message_hash = ? and role = 'assistant' order by position
"""
# The texts of a turn's messages, from its last one back.
TEXTS = """
with recursive chain(hash, parent) as (
    select hash, parent_hash from messages where hash = ?
    union all
    select messages.hash, messages.parent_hash from messages join chain on messages.hash = chain.parent
)
select text from chain join parts on parts.message_hash = chain.hash
"""


@dataclass(frozen=True, slots=True)
class LoggedTurn:
    id: str
    thread_id: str
    status: int | None
    error: str | None
    actor: str | None
    request: str
    outcome: dict[str, Any]
    text: str
    reasoning: str
    token_details: dict[str, Any]

    @property
    def notes(self) -> list[str]:
        return [note["kind"] for note in self.outcome.get("notes") or []]

    @property
    def raw(self) -> str:
        "The original text that notes keep of what was changed."
        return " ".join(str(note.get("raw") or "") for note in self.outcome.get("notes") or [])


class Log:
    def __init__(self, path: Path) -> None:
        self.path = path

    def query(self, sql: str, *arguments: object) -> list[sqlite3.Row]:
        if not self.path.exists():
            return []
        with closing(sqlite3.connect(f"file:{self.path}?mode=ro", uri=True, timeout=30)) as database:
            database.row_factory = sqlite3.Row
            try:
                return database.execute(sql, arguments).fetchall()
            except sqlite3.OperationalError as problem:
                if "no such table" in str(problem):
                    return []
                raise

    def turns(self, text: str = "") -> list[LoggedTurn]:
        "Return the turns that have this text in the request or in the prompt."
        return [turn for turn in map(self._turn, self.query(TURNS)) if text in turn.request]

    def turn(self, text: str) -> LoggedTurn:
        "Return the only turn with this text, once it is logged."
        turns = wait_for("a turn in the log", lambda: self.turns(text))
        expect("turns in the log", len(turns), 1)
        return turns[0]

    def check(self) -> None:
        "Raise Unexpected for a damaged database."
        expect("integrity_check", [*map(tuple, self.query("pragma integrity_check"))], [("ok",)])

    def _turn(self, row: sqlite3.Row) -> LoggedTurn:
        parts = self.query(PARTS, row["tip"])
        response = json.loads(row["response_json"] or "{}")
        # A turn of the shell has no request, and a log that only the shell has used has no such table.
        (request,) = self.query(REQUEST, row["id"]) or [
            dict.fromkeys(("status", "error", "request", "actor"))
        ]
        return LoggedTurn(
            row["id"],
            row["thread_id"],
            request["status"],
            request["error"] or response.get("error"),
            request["actor"],
            request["request"] or self._prompt(row["tip"]),
            response.get("outcome") or {},
            "".join(part["text"] or "" for part in parts if part["type"] == "text"),
            "".join(part["text"] or "" for part in parts if part["type"] == "reasoning"),
            json.loads(row["token_details"] or "{}"),
        )

    def _prompt(self, tip: str) -> str:
        return "\n".join(part["text"] or "" for part in self.query(TEXTS, tip))
