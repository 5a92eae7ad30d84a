"""Logs the turns of benchmarks, and finds earlier ones. Each is marked in its `response_json`:

"benchmark": {"id": "…", "machine": "box", "prompt_tokens": 2000, "cached": false, "first_token_ms": 1200, …}
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from typing import NamedTuple

import llm
import sqlite_utils
from llm.logs import LogStore
from llm.utils import monotonic_ulid

from ..log.database import write_transaction
from .results import Case, Run, Summary, summarize

# `llm -c` continues the thread with the largest id. Threads of benchmarks have small ids, so that it never
# continues one. Their ids are from THREAD_PREFIX up to NEXT_PREFIX.
THREAD_PREFIX, NEXT_PREFIX = "0000000000", "0000000001"


class Session(NamedTuple):
    "One run of the command. `id` is a ULID. Only sessions on the same `machine` are compared."

    id: str
    machine: str
    model: str
    engine: str

    @classmethod
    def new(cls, machine: str, model: str, engine: str) -> Session:
        return cls(str(monotonic_ulid()).lower(), machine, model, engine)

    @property
    def thread_id(self) -> str:
        return THREAD_PREFIX + self.id[len(THREAD_PREFIX) :]


class Earlier(NamedTuple):
    "The summary of an earlier session, and the day on which it began, YYYY-MM-DD in UTC."

    day: str
    summary: Summary


def log_run(database: sqlite_utils.Database, session: Session, response: llm.Response, run: Run) -> None:
    "Log a turn of this session. Raises sqlite3.Error if the log cannot be written."
    response.response_json = {
        **(response.response_json or {}),
        "benchmark": {
            "id": session.id,
            "machine": session.machine,
            "engine": session.engine,
            **run.case._asdict(),
            **{name: value for name, value in run._asdict().items() if name != "case"},
        },
    }
    store = LogStore(database)  # type: ignore[no-untyped-call]
    with write_transaction(database.conn):
        store.ensure_thread(session.thread_id, f"Benchmark of {session.model}")
        store.log(response, session.thread_id)


def latest_earlier(log: sqlite3.Connection, session: Session, case: Case) -> Earlier | None:
    "Return the summary of the latest earlier session on this machine with the same case, or None."
    sql = """
    select case json_type(response, '$.benchmark')
            when 'object' then json_extract(response, '$.benchmark')
        end, date(datetime_utc)
    from (
        select *, case when json_valid(response_json) then response_json end as response from turns
    )
    where thread_id >= ? and thread_id < ? and model = ?
    order by id desc
    """
    runs: list[Run] = []
    latest: tuple[str, str] | None = None
    for text, day in log.execute(sql, [THREAD_PREFIX, NEXT_PREFIX, session.model]):
        mark = json.loads(text or "{}")
        if not _is_comparable(mark, session, case):
            continue
        latest = latest or (mark["id"], day)
        if mark["id"] != latest[0]:
            break
        runs.append(Run(case, **{name: mark.get(name) for name in Run._fields if name != "case"}))
    summary = summarize(case, runs)
    return Earlier(latest[1], summary) if latest and summary else None


def _is_comparable(mark: dict[str, object], session: Session, case: Case) -> bool:
    same: Sequence[tuple[str, object]] = [
        ("machine", session.machine),
        ("engine", session.engine),
        *case._asdict().items(),
    ]
    return mark.get("id") not in (None, session.id) and all(mark.get(name) == value for name, value in same)
