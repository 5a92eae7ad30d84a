"A log whose views tests query."

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from llm.parts import Message

from proxy.log.turn import Turn
from support.logged_turns import turn
from support.turn_logs import TurnLog


class ViewLog(TurnLog):
    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.path = path
        self.db.conn.execute("pragma synchronous = off")

    def shell(self, thread: str, *messages: Message, answer: Message | None = None, **fields: Any) -> Turn:
        "Writes a turn as the shell does. `fields` are attributes of the response."
        self.store.ensure_thread(thread, "A name")
        written = turn(*messages, answer=answer)
        for name, value in fields.items():
            setattr(written.response, name, value)
        self.store.log(written.response, thread)
        return written

    def set(self, written: Turn, **columns: Any) -> None:
        "Changes columns of the turn. Values that are not text are stored as JSON."
        values = {name: v if isinstance(v, str | int) else json.dumps(v) for name, v in columns.items()}
        self.db["turns"].update(written.id, values)

    def fill(self, thread: str, turns: int) -> None:
        "Writes a thread of so many turns, each with a question and an answer, fast."
        self.store.ensure_thread(thread, "A name")
        parent = None
        for number in range(turns):
            ids = [f"{thread}-{number:06}-{role}" for role in ("user", "assistant")]
            for hash, role in zip(ids, ("user", "assistant"), strict=True):
                self.db.execute("insert into messages values (?, ?, ?, null)", [hash, parent, role])
                sql = "insert into parts (message_hash, position, type, text) values (?, 0, 'text', ?)"
                self.db.execute(sql, [hash, f"{role} {number}"])
                parent = hash
            sql = """
            insert into turns (id, thread_id, parent_message_hash, tip_message_hash, model, response_json)
            values (?, ?, ?, ?, 'm', '{"outcome": {}}')
            """
            self.db.execute(sql, [f"{thread}-{number:06}", thread, *ids])
        self.db.conn.commit()

    def steps(self, sql: str) -> int:
        "How many hundred steps SQLite takes for a query."
        return self.count_steps(lambda: self.db.execute(sql).fetchall())

    def count_steps(self, work: Callable[[], object]) -> int:
        "How many hundred steps SQLite takes while `work` runs."
        count = 0

        def step() -> int:
            nonlocal count
            count += 1
            return 0

        self.db.conn.set_progress_handler(step, 100)
        try:
            work()
        finally:
            self.db.conn.set_progress_handler(None, 0)
        return count

    def all(self, view: str, columns: str = "*", where: str = "1") -> list[Any]:
        "The rows of a view; those of one column as its values."
        order = {"gpt_oss_turns": "turn_id", "gpt_oss_threads": "last_turn_id"}.get(view, "turn_id, position")
        sql = f"select {columns} from {view} where {where} order by {order}"
        rows = self.db.execute(sql).fetchall()
        return [row[0] if len(row) == 1 else row for row in rows]
