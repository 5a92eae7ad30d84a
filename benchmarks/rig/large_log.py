"""A log with very many turns, written in bulk: threads of ten turns with reasoning, calls and failures.

Only what the pages of the log read is like in a real one. Its hashes are no hashes.
"""

from __future__ import annotations

import json
import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from ulid import ULID

from proxy.log.database import open_log

TURNS_OF_A_THREAD = 10
# A year of turns, so that the last 30 days have more of them than a query looks at.
DAYS = 365
THREADS_AT_ONCE = 2000
WORDS = (
    *("pelican", "harbour", "answer", "engine", "reason", "token", "write", "file", "read", "search", "list"),
    *("weather", "map", "train", "number", "count", "python", "error", "stack", "trace", "compile", "deploy"),
    *(
        "queue",
        "cache",
        "prompt",
        "message",
        "thread",
        "model",
        "effort",
        "green",
        "summer",
        "river",
        "story",
    ),
    *("poem", "letter", "recipe", "garden", "kitchen", "music", "history", "science", "bridge", "winter"),
)
APPS = ("OpenAI/Python 3.54.0", "claude-cli/2.1", "curl/8.1", "opencode/1.0", "Zed/0.2")
EFFORTS = ("low", "medium", "high", None)
TABLES = {
    "threads": 5,
    "messages": 4,
    "parts": 7,
    "turns": 14,
    "turn_search": 4,
}
REQUEST_COLUMNS = (
    "turn_id, endpoint, actor, client, status, error, finish_reason, stored, request, continues, queue_ms, "
    "first_token_ms, datetime_utc, model, answer_id"
)


def write_log(path: Path, turns: int) -> None:
    "Create a log with that many turns. A million takes about 2.5 GB, and some minutes."
    open_log(path).db.close()
    chance = random.Random(1)
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        for setting in ("journal_mode = off", "synchronous = off", "cache_size = -1000000"):
            database.execute(f"pragma {setting}")
        threads = turns // TURNS_OF_A_THREAD
        start = datetime.now(timezone.utc) - timedelta(days=DAYS)
        step = timedelta(days=DAYS) / (threads + 1)
        for first in range(0, threads, THREADS_AT_ONCE):
            rows: dict[str, list[tuple[Any, ...]]] = {name: [] for name in (*TABLES, "requests")}
            for number in range(first, min(first + THREADS_AT_ONCE, threads)):
                for name, row in _thread(chance, start + number * step, step / (TURNS_OF_A_THREAD + 1)):
                    rows[name].append(row)
            _insert(database, rows)
        database.execute("pragma journal_mode = delete")


def _insert(database: sqlite3.Connection, rows: dict[str, list[tuple[Any, ...]]]) -> None:
    database.execute("begin")
    for table, columns in TABLES.items():
        marks = ", ".join("?" * columns)
        database.executemany(f"insert into {table} values ({marks})", rows[table])
    marks = ", ".join("?" * len(REQUEST_COLUMNS.split(",")))
    database.executemany(
        f"insert into gpt_oss_requests ({REQUEST_COLUMNS}) values ({marks})", rows["requests"]
    )
    database.execute("commit")


def _thread(chance: random.Random, start: datetime, step: timedelta) -> Iterator[tuple[str, tuple[Any, ...]]]:
    "Yield the rows of a thread, with the names of their tables."
    thread_id = str(ULID.from_datetime(start)).lower()
    parent: str | None = None

    def message(role: str) -> tuple[str, tuple[Any, ...]]:
        nonlocal parent
        hash = f"{chance.getrandbits(256):064x}"
        row = (hash, parent, role, None)
        parent = hash
        return "messages", row

    def part(
        position: int, type_: str, text: str | None, tool: str | None = None, payload: Any = None
    ) -> Any:
        return "parts", (
            *(None, parent, position, type_, tool, text),
            json.dumps(payload) if payload else None,
        )

    for number in range(TURNS_OF_A_THREAD):
        now = start + number * step
        turn_id = str(ULID.from_datetime(now)).lower()
        calls, fails = chance.random() < 0.2, chance.random() < 0.02
        prompt, reasoning, answer = (_words(chance, count) for count in (10, 18, 15))
        yield message("user")
        yield part(0, "text", prompt)
        prompt_end = parent
        yield message("assistant")
        yield part(0, "reasoning", reasoning)
        if calls:
            call = {"tool_call_id": f"call_{turn_id}", "name": "read", "arguments": {"path": prompt[:20]}}
            yield part(1, "tool_call", None, "read", call)
        else:
            yield part(1, "text", answer)
        notes = chance.choices(("repaired", "renamed", "length"), k=chance.random() < 0.05)
        finish = None if fails else "tool_calls" if calls else "length" if "length" in notes else "stop"
        yield _turn(chance, turn_id, thread_id, now, (prompt_end, parent), finish, notes)
        yield "turn_search", (None, turn_id, prompt, "" if calls else answer)
        yield _request(chance, turn_id, now, finish)
        if calls:
            yield message("tool")
            result = {"tool_call_id": f"call_{turn_id}", "name": "read", "output": _words(chance, 30)}
            yield part(0, "tool_result", None, "read", result)
    yield "threads", (thread_id, prompt[:40], parent, None, start.isoformat())


def _turn(
    chance: random.Random,
    turn_id: str,
    thread_id: str,
    now: datetime,
    ends: tuple[str | None, str | None],
    finish: str | None,
    notes: list[str],
) -> tuple[str, tuple[Any, ...]]:
    outcome = {"finish_reason": finish, "notes": [{"kind": kind} for kind in notes]}
    response = {"outcome": outcome, "completions": 1}
    prompt_tokens, output_tokens = chance.randrange(100, 30000), chance.randrange(2, 2000)
    details = {
        "reasoning_tokens": output_tokens // 3,
        "cached_tokens": prompt_tokens // 2,
        "load_ms": 0,
        "prompt_ms": prompt_tokens // 20,
        "completion_ms": output_tokens * 20,
        "tokens_per_second": round(chance.uniform(20, 80), 1),
        "time_to_first_token_ms": chance.randrange(50, 5000),
    }
    effort = chance.choice(EFFORTS)
    options = json.dumps({"reasoning_effort": effort}) if effort else "{}"
    model = chance.choice(("gpt-oss:20b", "gpt-oss:20b", "gpt-oss:120b"))
    return "turns", (
        *(turn_id, thread_id, *ends, model, model, options, None, prompt_tokens, output_tokens),
        *(json.dumps(details), output_tokens * 25, now.isoformat(), json.dumps(response)),
    )


def _request(
    chance: random.Random, turn_id: str, now: datetime, finish: str | None
) -> tuple[str, tuple[Any, ...]]:
    status, error = (200, None) if finish else (503, "The engine does not answer.")
    return "requests", (
        *(turn_id, "/v1/chat/completions", chance.choice(("laptop:9f86d081", None)), chance.choice(APPS)),
        *(status, error, finish, 1),
        *(json.dumps({"messages": [{"role": "user"}], "stream": True}), 0, chance.randrange(500)),
        *(chance.randrange(50, 5000), now.isoformat(), "gpt-oss", turn_id),
    )


def _words(chance: random.Random, count: int) -> str:
    return " ".join(chance.choices(WORDS, k=count))
